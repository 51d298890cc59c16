"""Whole networks and the factory."""

from drifa.networks.factory import create_model
from drifa.networks.folder import load_model, save_model
from drifa.networks.fusionnet import FusionNet

__all__ = ["FusionNet", "create_model", "load_model", "save_model"]
