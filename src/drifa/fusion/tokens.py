"""Rows and tokens of the modalities that are present."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def run_present(module: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    """Runs a module on the rows that a mask names, so that statistics over the batch are those of real images.

    Args:
        module: Maps ``[B, ...]`` to a tensor with as many rows.
        x: ``[B, ...]``.
        mask: bool ``[B]`` with at least one True, or ``None`` = every row.

    Returns:
        The output, zeros in the other rows.
    """
    if mask is None or bool(mask.all()):
        return module(x)
    rows = mask.nonzero().squeeze(1)
    if module.training and len(rows) == 1:
        # BatchNorm has nothing to learn from one row, and fails on it at 1x1 maps: use its running statistics.
        learning = [part for part in module.modules() if part.training]  # a part that was frozen stays so
        y = module.eval()(x[rows])
        for part in learning:
            part.training = True
    else:
        y = module(x[rows])
    return y.new_zeros(x.shape[0], *y.shape[1:]).index_copy(0, rows, y)


def column(present: Tensor | None, i: int) -> Tensor | None:
    """The rows that have modality i."""
    return None if present is None else present[:, i]


def keep(x: Tensor, mask: Tensor | None) -> Tensor:
    """Zeros in the rows that a mask leaves out; ``where`` and not a product, so that NaN in an absent slot cannot leak."""
    return x if mask is None else torch.where(mask.view(-1, *[1] * (x.ndim - 1)), x, 0)


def mean_present(values: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
    """Per row the mean over those values whose mask has it; zeros where none has. Values ``[B, ...]``, at least one."""
    if all(mask is None for mask in masks):
        return torch.stack(list(values)).mean(0)
    total = torch.stack([keep(value, mask) for value, mask in zip(values, masks, strict=True)]).sum(0)
    ones = torch.ones(total.shape[0], dtype=torch.bool, device=total.device)
    count = torch.stack([ones if mask is None else mask for mask in masks]).sum(0).clamp_min(1)
    return total / count.to(total.dtype).view(-1, *[1] * (total.ndim - 1))


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
