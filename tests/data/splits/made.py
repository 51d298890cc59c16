"""Studies without images, to be split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget


def made_study(label: list[int], group: list[int], modality: list[str] | None = None) -> Study:
    """One image per subject `s0000`, `s0001`, … of class `c0`, … and group `g0`, …"""
    classes = tuple(f"c{number}" for number in sorted(set(label)))
    names = sorted(set(modality or ["photo"]))
    table = pd.DataFrame(
        {
            "subject": [f"s{number:04d}" for number in range(len(label))],
            "modality": modality or "photo",
            "group": [f"g{number}" for number in group],
            "split": "",
            "kind": [f"c{number}" for number in label],
        }
    )
    table["path"] = table["subject"] + ".png"
    tasks = {"kind": Task("kind", ClassTarget(classes), tuple(names))}
    return Study("made", Path("images"), table, {name: Modality(name) for name in names}, tasks)


def sides_of(study: Study) -> dict[str, str]:
    """Subject -> split."""
    subjects = study.subjects()
    return dict(zip(subjects.ids.tolist(), subjects.split.tolist(), strict=True))


def published(study: Study, seed: int = 0, values: tuple[str, ...] = ("train", "test")) -> Study:
    """The study with a published split that knows nothing of groups."""
    chosen = np.random.default_rng(seed).choice(values, size=len(study.table), p=[0.8, 0.2] if len(values) == 2 else None)
    by_subject = dict(zip(study.table["subject"], chosen, strict=True))
    return replace(study, table=study.table.assign(official=study.table["subject"].map(by_subject)))


def grouped(count: int = 200, size: int = 2) -> Study:
    """Groups of one size, each of one of three classes."""
    group = np.repeat(np.arange(count // size), size)
    return made_study((group % 3).tolist(), group.tolist())
