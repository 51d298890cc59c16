"""One training step of drifa against one of concat, run alternately: what the attention costs at the size of the quick config.

python benchmarks/training_step.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from drifa import create_model
from drifa.config import load_config


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="configs/quick/ham10000_sipakmed.yaml")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    config = load_config(options.config)
    torch.set_num_threads(config.train.threads or torch.get_num_threads())
    size, batch = config.data.image_size, config.train.batch_size
    steps = {fusion: make_step(fusion, config.model.backbone_args, size, batch) for fusion in ("drifa", "concat")}
    for step in steps.values():
        step()
    seconds: dict[str, list[float]] = {fusion: [] for fusion in steps}
    for _ in range(options.rounds):
        for fusion, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[fusion].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    print(f"cpu, {torch.get_num_threads()} thread(s), torch {torch.__version__}, batch {batch}, {size} px")
    for fusion, values in seconds.items():
        print(f"{fusion}: median {statistics.median(values):.3f} s per step")
    print(f"drifa / concat = {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


def make_step(fusion: str, backbone_args: dict, size: int, batch: int) -> Callable[[], None]:
    net = create_model(
        fusion=fusion,
        modalities={"dermoscopy": 3, "pap_smear": 3},
        tasks={"skin_lesion": 7, "cell": 5},
        backbone_args=backbone_args,
    )
    optimizer = torch.optim.Adam(net.parameters(), fused=True)  # as training has it on a CPU
    images = {name: torch.randn(batch, 3, size, size) for name in net.modalities}

    def step() -> None:
        optimizer.zero_grad()
        sum(logits.logsumexp(1).mean() for logits in net(images).values()).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
