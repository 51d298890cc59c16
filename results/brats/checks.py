"""Three questions to the networks of configs/experiments/brats2018.yaml and brats2013.yaml: what a threshold finds, what
BatchNorm's statistics cost, and how soon the paper's schedule ends learning.

python results/brats/checks.py runs results/brats

The first folder holds the comparisons, brats2018 and brats2013. Writes checks.json: Dice of the whole tumour on the cached
slices (48 px). The threshold on FLAIR, in deviations of the head, is the one of 0.2, 0.3, ... 3.9 that is best on average for
the other subjects. `running` and `batch` are the same weights of arm `concat` with BatchNorm's running statistics, as in every
evaluation, and with those of the tested subject's slices. `schedule` counts the epochs of arm `plateau` at the first learning
rate, fold by fold.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from drifa.data import Study
from drifa.data.cache.volume_cache import VolumeCache
from drifa.files import write_json
from drifa.networks.regions import region_probabilities
from drifa.runs.run import Run

THRESHOLDS = np.arange(2, 40) / 10


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (predicted & truth).sum() / (predicted.sum() + truth.sum()))


def threshold(study: Study, cache: VolumeCache) -> dict[str, dict[str, float]]:
    """Every subject's Dice at the threshold that is best for the others."""
    ids = study.subjects().ids.tolist()
    table = []
    for number in range(len(ids)):
        rows = np.flatnonzero(cache.index.subject == number)
        flair, truth = cache.read("flair", rows).numpy()[:, 0], whole_tumour(cache, rows)
        table.append([dice(flair > value, truth) for value in THRESHOLDS])
    found = {}
    for number, name in enumerate(ids):
        best = int(np.mean(np.delete(table, number, axis=0), axis=0).argmax())
        found[name] = {"threshold": float(THRESHOLDS[best]), "dice": table[number][best]}
    return found


def whole_tumour(cache: VolumeCache, rows: np.ndarray) -> np.ndarray:
    return cache.regions("tumour", rows).numpy()[:, 0].astype(bool)


def statistics(run: Run) -> dict[str, dict[str, float]]:
    """Dice of the tested subjects with running statistics and with those of the subject's own slices."""
    study = run.study()
    cache, net = run.cache(study), run.networks()[0].eval()
    found = {}
    for number in study.subjects().in_split("test"):
        rows = np.flatnonzero(cache.index.subject == number)
        images = {name: cache.read(name, rows).float() for name in study.modalities}
        present = torch.ones(len(rows), len(images), dtype=torch.bool)
        answers = {}
        for kind in ("running", "batch"):
            for module in net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.train(kind == "batch")
                    module.momentum = 0.0
            with torch.no_grad():
                maps = region_probabilities(net(images, present)["tumour"], net.config["output"])[:, 0]
            answers[kind] = dice((maps >= 0.5).numpy(), whole_tumour(cache, rows))
        found[str(study.subjects().ids[number])] = answers
    return found


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    result: dict[str, Any] = {
        "command": "python results/brats/checks.py runs results/brats",
        "threshold": {},
        "statistics": {},
        "schedule": {},
    }
    for study in ("brats2018", "brats2013"):
        run = Run.open(folder / study / "jobs" / "concat-s0-f0")
        result["threshold"][study] = threshold(run.study(), run.cache(run.study()))
    for path in sorted(folder.glob("brats2018/jobs/concat-s0-f*")):
        result["statistics"] |= statistics(Run.open(path))
    for path in sorted(folder.glob("brats2018/jobs/plateau-s0-f*")):
        lr = pd.read_csv(path / "members" / "0" / "history.csv")["lr"]
        result["schedule"][path.name[-1]] = int((lr == lr.max()).sum())
    write_json(out / "checks.json", result)
    print(f"wrote {out}/checks.json")


if __name__ == "__main__":
    main()
