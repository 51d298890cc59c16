"""Nested regions as exclusive classes, and back: the only place that knows how the two are related.

R regions are listed from the outermost to the innermost, each inside the one before it (whole tumour, tumour core,
enhancing tumour). A pixel's class is the number of regions that it lies in: 0 is background, R the innermost region.
"""

from __future__ import annotations

import torch
from torch import Tensor

from drifa.errors import DrifaError

OUTPUTS = ("regions", "classes")


def output_maps(regions: int, output: str) -> int:
    """Maps that a network gives for so many regions: one sigmoid each, or one softmax with a background class."""
    return regions if output == "regions" else regions + 1


def regions_to_classes(regions: Tensor) -> Tensor:
    """Class of each pixel.

    Args:
        regions: bool ``[B, R, …]``, outermost first.

    Returns:
        int64 ``[B, …]`` from 0 to R.

    Raises:
        DrifaError: If a region reaches outside the one before it.
    """
    outside = regions[:, 1:] & ~regions[:, :-1]
    if bool(outside.any()):
        row, k = (int(value) for value in outside.flatten(2).any(dim=2).nonzero()[0])
        raise DrifaError(
            f"row {row}: region {k + 2} of the list reaches outside region {k + 1}, so they are no exclusive classes; list the "
            "regions from the outermost to the innermost, or use output='regions'"
        )
    return regions.sum(dim=1)


def classes_to_regions(classes: Tensor, regions: int) -> Tensor:
    """The inverse of :func:`regions_to_classes`: int64 ``[B, …] -> bool [B, R, …]``."""
    return torch.stack([classes > k for k in range(regions)], dim=1)


def region_probabilities(logits: Tensor, output: str) -> Tensor:
    """Probability of each region, in float32.

    Args:
        logits: ``[..., maps, H, W]``.
        output: ``"regions"`` (one sigmoid per region) or ``"classes"`` (a softmax; a region is the sum of its classes).

    Returns:
        ``[..., R, H, W]``.
    """
    if output == "regions":
        return logits.float().sigmoid()
    classes = logits.float().softmax(dim=-3)
    return classes.flip(-3).cumsum(dim=-3).flip(-3)[..., 1:, :, :].clamp(max=1)
