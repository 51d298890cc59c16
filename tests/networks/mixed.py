"""A network whose branches have different backbones, and images for it."""

from __future__ import annotations

import torch

from drifa import (
    FusionNet,
    create_model,
)

TWO = {"modalities": {"photo": 3, "mri": 1}, "tasks": {"t": 3}}
MIXED = {"photo": "resnet10t", "mri": "ghostnet_050"}


def mixed(**options) -> FusionNet:
    torch.manual_seed(0)
    return create_model(**{"backbone": MIXED, "mfa_at": "stage", "reduction": 4, **TWO, **options}).eval()


def images() -> dict[str, torch.Tensor]:
    return {"photo": torch.randn(2, 3, 64, 64), "mri": torch.randn(2, 1, 80, 80)}
