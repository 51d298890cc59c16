"""How many passes settled rows need, and how often the decision is another: images of the test splits, each by itself.

python results/trust/settled.py RUN...

Adds a table to settled.json and settled.md beside this file; nothing is trained.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import drifa
from drifa.files import write_json, write_text
from drifa.runs.run import environment
from drifa.uncertainty.sampling import Sampled, sample

PASSES, LEVELS, BATCH = 20, (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99), 64


def answers(folder: str) -> list[dict[str, Any]]:
    """One row for each task of classes and level."""
    predictor = drifa.load(folder, device="cpu")
    run = predictor.run
    subjects = run.study().subjects()
    source, test = run.cache(run.study(), None), subjects.in_split("test")
    rows = []
    for task, carriers in run.info.task_modalities.items():
        name = next(iter(carriers))
        column = subjects.modalities.index(name)
        chosen = test[subjects.present[test, column] & subjects.known_of(task)[test]]
        found: dict[float | None, list[Sampled]] = {level: [] for level in (None, *LEVELS)}
        for start in range(0, len(chosen), BATCH):
            some = chosen[start : start + BATCH]
            images = {name: source.read(name, subjects.image[some, column])}
            names = [str(subject) for subject in subjects.ids[some]]
            for level in found:
                found[level].append(sample(predictor.nets, images, PASSES, names=names, settle=level, tasks=[task])[task])
        whole = {level: np.concatenate([one.predicted for one in parts]) for level, parts in found.items()}
        used = {level: np.concatenate([one.passes for one in parts]) for level, parts in found.items()}
        rows += [
            {
                "run": Path(folder).name,
                "task": task,
                "networks": len(predictor.nets),
                "images": len(chosen),
                "settle": level,
                "passes": float(used[level].mean()),
                "saved": float(used[None].sum() / used[level].sum()),
                "changed": int((whole[level] != whole[None]).sum()),
            }
            for level in LEVELS
        ]
    return rows


def main() -> None:
    torch.set_num_threads(1)
    rows = [row for folder in sys.argv[1:] for row in answers(folder)]
    here = Path(__file__).parent
    where = environment()
    write_json(here / "settled.json", {"rows": rows, "passes": PASSES, "environment": where})
    lines = [
        "# Settled rows",
        "",
        "`python results/trust/settled.py RUN...` on the networks of `results/standard` (seed 0, one network each, dropout "
        "before the head): test images, each by itself, 20 Monte-Carlo passes for all against `sample(..., settle=...)`. "
        f"{where['date'][:10]}, drifa {where['drifa']}, torch {where['torch']}, {where['system']}, GPU: {where['gpu']}; "
        "counts, no times.",
        "",
        "| run | task | images | settle | passes of 20, mean | times fewer | decisions changed |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['run']} | {row['task']} | {row['images']} | {row['settle']} | {row['passes']:.1f} | {row['saved']:.1f} | "
        f"{row['changed']} ({row['changed'] / row['images']:.2%}) |"
        for row in rows
    ]
    write_text(here / "settled.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
