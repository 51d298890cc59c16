"""Twenty Monte-Carlo passes: `FusionNet.sample` (what stands before the first dropout is computed once) against twenty calls.

    python benchmarks/mc_dropout.py

Both give the same numbers (checked here and in the tests); printed is the median of the ratios of alternating runs.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from drifa import create_model

STUDY = {"modalities": {"dermoscopy": 3, "pap_smear": 3}, "tasks": {"skin_lesion": 7, "cell": 5}}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images = {name: torch.randn(options.batch, 3, options.size, options.size, device=device) for name in STUDY["modalities"]}
    keys = torch.randint(2**31, (options.passes, options.batch), device=device)
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, batch {options.batch}, {options.size} px")
    for dropout_at in ("blocks", "head"):
        net = create_model(**STUDY, dropout_at=dropout_at, backbone_args={"channels": [16, 32, 64, 128]}).to(device).eval()

        def loop(net: torch.nn.Module = net) -> torch.Tensor:
            return torch.stack([net(images, None, key)["cell"] for key in keys])

        def shared(net: torch.nn.Module = net) -> torch.Tensor:
            return net.sample(images, None, keys)["cell"]

        with torch.inference_mode():
            torch.testing.assert_close(loop(), shared(), rtol=1e-4, atol=1e-5)
            ratios = [clock(loop, device) / clock(shared, device) for _ in range(options.rounds)]
        print(f"dropout_at={dropout_at}: loop / sample = {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


def clock(run, device: str) -> float:
    start = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
