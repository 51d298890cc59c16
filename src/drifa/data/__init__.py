"""Studies, dataset adapters, the phantom, splits, the image cache, augmentation and pairing.

The names below are imported on first use, so that `import drifa.data` costs neither pandas nor torch. Augmentation is
`drifa.data.sampling.augment.augment`: a function and a module of one name cannot both be exported here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Modality": "study.schema",
    "Task": "study.schema",
    "Study": "study.study",
    "Subjects": "study.subjects",
    "read_image": "reading.images",
    "resize": "reading.images",
    "split": "splits.split",
    "verify_split": "splits.split",
    "apply_split": "splits.split",
    "read_split": "splits.split",
    "write_receipt": "splits.split",
    "ADAPTERS": "adapters.prepare",
    "prepare": "adapters.prepare",
    "ImageCache": "cache.image_cache",
    "EpochPairing": "sampling.pairing",
    "alone_samples": "sampling.pairing",
    "components": "sampling.pairing",
    "evaluation_samples": "sampling.pairing",
    "gather": "sampling.pairing",
    "make_phantom": "adapters.phantom",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
