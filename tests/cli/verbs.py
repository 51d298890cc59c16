"""What the tests of verbs share: a small study, and what a verb printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from drifa.data import Study
from drifa.data.study.schema import Modality, Task
from drifa.data.targets import ClassTarget


@dataclass
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


def make_study(folder: Path, count: int = 12, **changes: Any) -> Study:
    """Saves a study whose images are noise, alternately `a` and `b`, one group each; the images lie in a folder inside."""
    images = folder / "images"
    images.mkdir(parents=True)
    random = np.random.default_rng(0)
    names = [f"{number:02d}" for number in range(count)]
    for name in names:
        Image.fromarray(random.integers(0, 256, (32, 32), dtype=np.uint8)).save(images / f"{name}.png")
    table = pd.DataFrame({"subject": names, "modality": "photo", "path": [f"{name}.png" for name in names], "group": names})
    table = table.assign(split="", kind=["ab"[number % 2] for number in range(count)])
    study = Study(
        "made", images, table, {"photo": Modality("photo", 1)}, {"kind": Task("kind", ClassTarget(("a", "b")), ("photo",))}
    )
    study = replace(study, **changes)
    study.save(folder)
    return study
