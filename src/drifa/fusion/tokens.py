"""Maps as tokens, and attention over them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def tokens(x: Tensor) -> Tensor:
    """``[B, C, H, W] -> [B, H W, C]``."""
    return x.flatten(2).transpose(1, 2)


def as_map(x: Tensor, like: Tensor) -> Tensor:
    """Tokens ``[B, H W, C]`` back as a map with the height and width of ``like``."""
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], *like.shape[2:])


class Positions(nn.Module):
    """Learned positions: one vector per cell of an 8 by 8 grid, interpolated to maps of any size.

    Args:
        dim: Length of the vectors.
    """

    GRID = 8

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.grid = nn.Parameter(0.02 * torch.randn(1, dim, self.GRID, self.GRID))

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2], x.shape[3])
        if size == (self.GRID, self.GRID):
            return x + self.grid
        return x + F.interpolate(self.grid, size=size, mode="bilinear", align_corners=False)


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int = 1, allowed: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention within each row of the batch.

    Args:
        q: ``[B, N, D]``.
        k: ``[B, M, D]``.
        v: ``[B, M, E]``.
        heads: D and E are cut into so many equal parts.
        allowed: bool ``[B, M]``, the keys that count; each row needs one. ``None`` = all.

    Returns:
        ``[B, N, E]``.
    """
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    mask = None if allowed is None else allowed[:, None, None, :]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
