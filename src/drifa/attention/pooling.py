"""Global pooling of feature maps: the descriptors that every DRIFA attention is built from."""

from __future__ import annotations

import torch
from torch import Tensor


def global_mean(x: Tensor) -> Tensor:
    """Mean over all positions. ``[B, C, H, W] -> [B, C]``."""
    return x.mean(dim=(2, 3))


def global_max(x: Tensor) -> Tensor:
    """Maximum over all positions. ``[B, C, H, W] -> [B, C]``."""
    return _extreme(x, largest=True)


def global_min(x: Tensor) -> Tensor:
    """Minimum over all positions. ``[B, C, H, W] -> [B, C]``."""
    return _extreme(x, largest=False)


def _extreme(x: Tensor, largest: bool) -> Tensor:
    flat = x.flatten(2)
    if x.requires_grad and torch.is_grad_enabled():
        # The backward of amax/amin compares the whole map with its extreme and splits the gradient among ties;
        # max/min remember one index, which makes forward + backward about three times faster on a CPU.
        return (flat.max(dim=-1) if largest else flat.min(dim=-1)).values
    return flat.amax(dim=-1) if largest else flat.amin(dim=-1)
