"""How the time of a training step of `drifa` grows with modalities, pixels and batch: exponents of fitted powers, 1 is linear.

    OMP_NUM_THREADS=1 python benchmarks/growth.py

The sizes of one axis are run alternately; the fit is a least-squares line through the logarithms of the medians.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence

import torch

from drifa import create_model

BASE = {"modalities": 2, "side": 64, "batch": 8}
AXES = {"modalities": (1, 2, 3, 4), "side": (32, 64, 96, 128, 224), "batch": (4, 8, 16, 32, 64)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"cpu, {torch.get_num_threads()} thread(s), torch {torch.__version__}, ResNet18, drifa, otherwise {BASE}")
    for axis, sizes in AXES.items():
        steps = [make_step(**{**BASE, axis: size}) for size in sizes]
        medians = alternate(steps, options.rounds)
        # An image of side s has s * s pixels: what should be linear is the time per pixel.
        amounts = [size**2 for size in sizes] if axis == "side" else list(sizes)
        per_size = ", ".join(f"{size}: {seconds:.3f} s" for size, seconds in zip(sizes, medians, strict=True))
        unit = "pixels" if axis == "side" else axis
        print(f"{axis} {per_size}; grows with {unit} to the power {exponent(amounts, medians):.2f}", flush=True)


def make_step(modalities: int, side: int, batch: int) -> Callable[[], None]:
    names = [f"modality_{number}" for number in range(modalities)]
    net = create_model(fusion="drifa", modalities=dict.fromkeys(names, 3), tasks={"first": 7, "second": 5})
    images = {name: torch.randn(batch, 3, side, side) for name in names}

    def step() -> None:
        net.zero_grad()
        sum(logits.logsumexp(1).mean() for logits in net(images).values()).backward()

    return step


def alternate(steps: Sequence[Callable[[], None]], rounds: int) -> list[float]:
    """Median seconds of each, one after the other in every round; the first round warms up."""
    seconds: list[list[float]] = [[] for _ in steps]
    for _ in range(rounds + 1):
        for step, taken in zip(steps, seconds, strict=True):
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken[1:]) for taken in seconds]


def exponent(amounts: Sequence[float], seconds: Sequence[float]) -> float:
    return statistics.linear_regression([math.log(amount) for amount in amounts], [math.log(taken) for taken in seconds]).slope


if __name__ == "__main__":
    main()
