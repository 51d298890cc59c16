"""Whole networks and the factory.

The names in ``__all__`` are stable; the modules that they come from, and all else in those, may move.
"""

from drifa.networks.factory import create_model
from drifa.networks.folder import load_model, save_model
from drifa.networks.fusionnet import FusionNet
from drifa.networks.presets import PRESETS, create_preset
from drifa.networks.segmentation_factory import create_segmentation_model
from drifa.networks.segnet import FusionSegNet
from drifa.networks.timm_features import as_timm_features

__all__ = [
    "PRESETS",
    "FusionNet",
    "FusionSegNet",
    "as_timm_features",
    "create_model",
    "create_preset",
    "create_segmentation_model",
    "load_model",
    "save_model",
]
