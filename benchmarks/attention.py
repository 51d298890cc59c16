"""MFA by tiles, and as it chooses itself, against MFA from whole maps, run alternately: time by size, and what a step keeps.

OMP_NUM_THREADS=1 python benchmarks/attention.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import nn

from drifa import MFA, create_model
from drifa.attention.implementation import implementation

SIZES = ((64, 64), (64, 32), (128, 16), (256, 8), (512, 4))  # channels and side of the maps of ResNet18 at 128 px


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=128, help="side of the images of the whole network, pixels")
    parser.add_argument("--without-network", action="store_true")
    options = parser.parse_args()
    print(f"cpu, {torch.get_num_threads()} thread(s), torch {torch.__version__}, batch {options.batch}")
    for channels, side in SIZES:
        compare_module(channels, side, options.batch, options.rounds)
    if not options.without_network:
        compare_network(options.size, options.batch, options.rounds)


def compare_module(channels: int, side: int, batch: int, rounds: int) -> None:
    module, x = MFA(channels), torch.randn(batch, channels, side, side, requires_grad=True)
    given = torch.randn_like(x)

    def forward() -> None:
        with torch.inference_mode():
            module(x)

    def step() -> None:
        torch.autograd.grad(module(x), [x, *module.parameters()], given)

    for word, run in (("forward", forward), ("forward + backward", step)):
        ways = {name: by_implementation(name, run) for name in ("auto", "tiled", "reference")}
        report(f"MFA({channels}) at {side}x{side}, {word}", alternate(ways, rounds))
    kept = {
        name: by_implementation(name, lambda: saved_mib(module, lambda: module(x))) for name in ("auto", "tiled", "reference")
    }
    print("  kept for backward: " + ", ".join(f"{name} {measure():.1f} MiB" for name, measure in kept.items()))


def compare_network(size: int, batch: int, rounds: int) -> None:
    """DRIFA-Net against its two branches without attention."""
    images = {name: torch.randn(batch, 3, size, size) for name in ("dermoscopy", "pap_smear")}
    nets = {
        fusion: create_model(fusion=fusion, modalities=dict.fromkeys(images, 3), tasks={"skin_lesion": 7, "cell": 5})
        for fusion in ("drifa", "concat")
    }

    def loss(net: nn.Module) -> torch.Tensor:
        return torch.stack([logits.logsumexp(1).mean() for logits in net.train()(images).values()]).sum()

    def step(net: nn.Module) -> None:
        net.zero_grad()
        loss(net).backward()

    def infer(net: nn.Module) -> None:
        with torch.inference_mode():
            net.eval()(images)

    kinds = {"drifa, auto": ("drifa", "auto"), "drifa, reference": ("drifa", "reference"), "concat": ("concat", "auto")}
    for word, run in (("inference", infer), ("training step without the optimizer", step)):
        ways = {
            kind: by_implementation(name, lambda run=run, net=nets[fusion]: run(net)) for kind, (fusion, name) in kinds.items()
        }
        report(f"ResNet18, two modalities, {size} px, {word}", alternate(ways, rounds))
    kept = {
        kind: by_implementation(name, lambda net=nets[fusion]: saved_mib(net, lambda: loss(net)))()
        for kind, (fusion, name) in kinds.items()
    }
    print(
        "  kept for backward: " + ", ".join(f"{kind} {mib:.0f} MiB ({mib / kept['concat']:.2f})" for kind, mib in kept.items())
    )


def by_implementation(name: str, run: Callable) -> Callable:
    def wrapped() -> object:
        with implementation(name):
            return run()

    return wrapped


def alternate(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, one after the other in every round, so that what else the machine does meets all of them."""
    for run in ways.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def report(title: str, seconds: Mapping[str, list[float]]) -> None:
    *others, last = seconds
    medians = ", ".join(f"{name} {1000 * statistics.median(values):.1f} ms" for name, values in seconds.items())
    print(f"{title}: {medians}", flush=True)
    for name in others:
        ratios = [a / b for a, b in zip(seconds[name], seconds[last], strict=True)]
        print(f"  {name} / {last} = {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})", flush=True)


def saved_mib(module: nn.Module, forward: Callable[[], torch.Tensor]) -> float:
    """What the graph holds beside the parameters and buffers; memory that is shared counts once."""
    own = {tensor.untyped_storage().data_ptr() for tensor in [*module.parameters(), *module.buffers()]}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward()
    assert result.requires_grad
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own) / 2**20


if __name__ == "__main__":
    main()
