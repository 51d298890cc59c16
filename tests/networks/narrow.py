"""A narrow segmentation network, and images for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from drifa import FusionSegNet, create_segmentation_model

FOUR = {"flair": 1, "t1": 1, "t1ce": 1, "t2": 1}
TWO = {"flair": 1, "t1": 1}
NARROW = 1 / 16


def narrow(**changes: Any) -> FusionSegNet:
    torch.manual_seed(0)
    net = create_segmentation_model(**{"modalities": TWO, "regions": {"tumour": 3}, "width": NARROW, **changes})
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.eval()


def images(batch: int = 4, height: int = 32, width: int = 32) -> dict[str, Tensor]:
    return {name: torch.randn(batch, 1, height, width) for name in TWO}
