"""Studies, dataset adapters, the phantom, splits, the image cache, augmentation and pairing.

The names below are imported on first use, so that `import drifa.data` costs neither pandas nor torch. Augmentation is
`drifa.data.augment.augment`: a function and a module of one name cannot both be exported here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Modality": "schema",
    "Task": "schema",
    "Study": "study",
    "Subjects": "subjects",
    "read_image": "images",
    "resize": "images",
    "split": "splits",
    "verify_split": "splits",
    "apply_split": "splits",
    "read_split": "splits",
    "write_receipt": "splits",
    "ADAPTERS": "adapters",
    "prepare": "adapters",
    "ImageCache": "cache",
    "EpochPairing": "pairing",
    "alone_samples": "pairing",
    "components": "pairing",
    "evaluation_samples": "pairing",
    "gather": "pairing",
    "make_phantom": "phantom",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
