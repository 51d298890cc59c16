"""What `drifa compare` costs beside the networks that it trains and judges: processor seconds of each.

python benchmarks/compare.py [--subjects 600] [--epochs 3] [--size 64] [--seeds 3]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from drifa.data import make_phantom
from drifa.experiments import jobs
from drifa.experiments.experiment import read_experiment
from drifa.experiments.plan import make_plan
from drifa.experiments.run import run_experiment


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subjects", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        make_phantom(Path(folder) / "study", subjects=options.subjects, image_size=options.size)
        file = Path(folder) / "experiment.yaml"
        file.write_text(
            yaml.safe_dump(
                {
                    "config": {
                        "data": {"study": f"{folder}/study", "image_size": options.size},
                        "model": {"backbone": "resnet18", "backbone_args": {"channels": [16, 32, 64, 128]}},
                        "train": {"epochs": options.epochs, "accelerator": "cpu", "threads": 1},
                    },
                    "arms": {"drifa": ["model.fusion=drifa"], "concat": ["model.fusion=concat"]},
                    "seeds": list(range(options.seeds)),
                    "metrics": ["balanced_accuracy", "auc"],
                    "primary": "drifa - concat, balanced_accuracy",
                }
            )
        )
        work: list[float] = []
        for name in ("train", "evaluate"):
            setattr(jobs, name, timed(getattr(jobs, name), work))
        start = time.process_time()
        outcomes, found = run_experiment(make_plan(read_experiment(file)), Path(folder) / "out", quiet=True)
        whole = time.process_time() - start
    assert {outcome.state for outcome in outcomes} == {"done"}, outcomes
    own = whole - sum(work)
    print(f"cpu, 1 thread, torch {torch.__version__}, {len(outcomes)} networks of {options.epochs} epochs, {options.size} px")
    print(f"training and judging: {sum(work):.1f} CPU s; all of it: {whole:.1f} CPU s; the engine's own: {own:.1f} CPU s")
    print(f"own / training and judging = {own / sum(work):.2%}; verdict: {found.verdict}")


def timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def wrapped(*words: Any, **more: Any) -> Any:
        start = time.process_time()
        try:
            return function(*words, **more)
        finally:
            spent.append(time.process_time() - start)

    return wrapped


if __name__ == "__main__":
    main()
