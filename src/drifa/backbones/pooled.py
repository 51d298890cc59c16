"""Adaptive average pooling that an exporter of programs can write down."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from drifa.present import is_recorded


def mean_to(x: Tensor, height: int, width: int) -> Tensor:
    """Means over equal shares of a map, see ``torch.nn.AdaptiveAvgPool2d``. ``[B, C, H, W] -> [B, C, height, width]``."""
    if not is_recorded():
        return F.adaptive_avg_pool2d(x, (height, width))
    # ONNX has no such operator, and a window is a rectangle: the mean over its rows and then over its columns.
    return _windows(x, int(x.shape[2]), int(height)) @ x @ _windows(x, int(x.shape[3]), int(width)).T


def _windows(like: Tensor, size: int, count: int) -> Tensor:
    """What each of the windows makes of a line of numbers. ``[count, size]``"""
    rows = []
    for i in range(count):
        start, end = i * size // count, -(-(i + 1) * size // count)
        rows.append([1 / (end - start) if start <= j < end else 0.0 for j in range(size)])
    return like.new_tensor(rows)
