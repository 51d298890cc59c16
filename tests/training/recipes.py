"""A configuration with everything random switched on, and what a training left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from drifa.config import Config
from drifa.runs.run import Run
from tests.studies import tiny_config


def recipe(study: Path, **changes: Any) -> Config:
    """One member, modality dropout, and a schedule that steps."""
    return tiny_config(study, **{"members": 1, "modality_dropout": 0.2, "lr_patience": 0, "lr": 0.1, **changes})


def weights(run: Run, name: str = "model.safetensors") -> dict[str, torch.Tensor]:
    """Those of the first member."""
    return load_file(run.member(0) / name)
