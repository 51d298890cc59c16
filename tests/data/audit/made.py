"""Studies of made-up pictures and volumes, and what an audit found in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from drifa.data import Study
from drifa.data.audit import Audit, Finding
from drifa.data.study.schema import Modality, Task
from drifa.data.targets import ClassTarget, RegionTarget
from tests.nifti_files import make_head, write_nifti


def picture(seed: int, size: int = 48) -> np.ndarray:
    """A random colour picture of its own."""
    random = np.random.default_rng(seed)
    layers = [random.integers(0, 256, (cells, cells, 3), dtype=np.uint8) for cells in (3, 6, 12, 24)]
    return sum(np.asarray(Image.fromarray(layer).resize((size, size))) / 4 for layer in layers).astype(np.uint8)  # type: ignore[union-attr]


def make(folder: Path, count: int = 60, **columns: list[str]) -> Study:
    """A study of different colour pictures, alternately `a` and `b`, one group each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(picture(number)).save(folder / f"{number:03d}.png")
    names = [f"{number:03d}" for number in range(count)]
    table = pd.DataFrame({"subject": names, "modality": "photo", "path": [f"{name}.png" for name in names]})
    table = table.assign(group=names, split="", kind=["ab"[number % 2] for number in range(count)], note="kept").assign(
        **columns
    )
    return Study(
        "made", folder, table, {"photo": Modality("photo")}, {"kind": Task("kind", ClassTarget(("a", "b")), ("photo",))}
    )


def make_volumes(folder: Path, count: int = 4) -> Study:
    """A study of two volumes and a mask per subject, for segmentation."""
    rows = []
    for number in range(count):
        grey, mask = make_head(seed=number)
        for name in ("t1", "t2"):
            write_nifti(folder / f"{number}_{name}.nii.gz", grey + len(rows))
            rows.append((str(number), name, f"{number}_{name}.nii.gz", "", "", f"{number}_mask.nii.gz"))
        write_nifti(folder / f"{number}_mask.nii.gz", mask)
    table = pd.DataFrame(rows, columns=["subject", "modality", "path", "group", "split", "tumour"])
    task = Task("tumour", RegionTarget({"WT": (1, 2, 4), "ET": (4,)}), ("t1", "t2"))
    return Study("volumes", folder, table, {name: Modality(name, 1) for name in ("t1", "t2")}, {"tumour": task})


def rules(result: Audit, *severities: str) -> set[str]:
    """Names of the rules that found something, of some severities or of all."""
    return {one.rule for one in result.findings if not severities or one.severity in severities}


def only(result: Audit, rule: str) -> Finding:
    """The one finding of a rule."""
    (one,) = (one for one in result.findings if one.rule == rule)
    return one
