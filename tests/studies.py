"""Small studies, networks and configurations for the tests that train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from drifa.config import Config, make_config
from drifa.data import Study, make_phantom
from drifa.data.study.subjects import Subjects

TINY_NET = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}


def tiny_config(*studies: Path, **train: Any) -> Config:
    """A configuration that trains in seconds."""
    return make_config(
        {
            "data": {"study": [str(folder) for folder in studies], "image_size": 32, "shift": 1},
            "model": {"backbone_args": TINY_NET},
            # Validation splits this small calibrate nothing, which `drifa train` would find out each time.
            "train": {
                "epochs": 2,
                "members": 2,
                "batch_size": 16,
                "threads": 1,
                "accelerator": "cpu",
                "calibrate": False,
                **train,
            },
            "evaluate": {"passes": 3, "partners": 2, "resamples": 30},
        }
    )


def class_indices(subjects: Subjects) -> np.ndarray:
    """Class index of every subject and task, -1 where it is not known: int64 ``[S, t]``."""
    return np.where(subjects.known, np.stack([subjects.targets[task] for task in subjects.tasks], axis=1), -1)


def siblings(folder: Path) -> Study:
    """A phantom in which three subjects each are siblings."""
    made = make_phantom(folder, subjects=120, image_size=32)
    names = sorted(made.table["subject"].unique())
    made.table["group"] = made.table["subject"].map({name: f"g{number // 3}" for number, name in enumerate(names)})
    made.select(list(made.modalities), ["depth"]).save(folder)
    return Study.load(folder)
