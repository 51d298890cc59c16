"""drifa: multimodal fusion learning on medical images with dual attention.

The names below are loaded on first use, so that ``import drifa`` and ``drifa --help`` stay fast.
They are stable, as are those that the packages ``attention``, ``backbones``, ``fusion``, ``networks`` and ``metrics`` name
at their heads; everything else may move.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from drifa.version import __version__

if TYPE_CHECKING:
    from drifa.attention import CLIA, HIFA, MFA, MGIFA, MIFA, MLIFA
    from drifa.errors import DrifaError
    from drifa.networks import (
        PRESETS,
        FusionNet,
        FusionSegNet,
        as_timm_features,
        create_model,
        create_preset,
        create_segmentation_model,
        load_model,
        save_model,
    )
    from drifa.prediction.predictor import Predictor, load

_WHERE = {
    "DrifaError": "errors",
    "Predictor": "prediction.predictor",
    "load": "prediction.predictor",
    **dict.fromkeys(("CLIA", "HIFA", "MFA", "MGIFA", "MIFA", "MLIFA"), "attention"),
    **dict.fromkeys(
        (
            *("PRESETS", "FusionNet", "FusionSegNet", "create_model", "create_preset", "create_segmentation_model"),
            *("as_timm_features", "load_model", "save_model"),
        ),
        "networks",
    ),
}

__all__ = [
    "CLIA",
    "HIFA",
    "MFA",
    "MGIFA",
    "MIFA",
    "MLIFA",
    "PRESETS",
    "DrifaError",
    "FusionNet",
    "FusionSegNet",
    "Predictor",
    "__version__",
    "as_timm_features",
    "create_model",
    "create_preset",
    "create_segmentation_model",
    "load",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"drifa.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'drifa' has no attribute {name!r}")
