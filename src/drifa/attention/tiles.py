"""Tiles of pixels: a part of one image, or several whole images that are smaller, as the columns of a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Space:
    """Memory that every tile uses again: fresh memory would have to be fetched into the cache, and from the system."""

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.kept: dict[str, Tensor] = {}

    def __call__(self, name: str, rows: int, columns: int) -> Tensor:
        """``[rows, columns]`` of any values; the next call of the same name takes them over."""
        kept = self.kept.get(name)
        if kept is None or kept.numel() < rows * columns:
            kept = self.kept[name] = self.like.new_empty(rows * columns)
        return kept[: rows * columns].view(rows, columns)

    def convolved(self, name: str, weight: Tensor, bias: Tensor, columns: Tensor) -> Tensor:
        """A 1x1 convolution."""
        return torch.addmm(bias, weight, columns, out=self(name, len(weight), columns.shape[1]))


def parts(total: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]


def tiles_of(x: Tensor, tile: int) -> tuple[list[slice], list[slice]]:
    """Which images and which pixels of them share a tile: a part of one image, or several images that are smaller."""
    pixels = x.shape[2] * x.shape[3]
    count = -(-pixels // tile)
    return parts(x.shape[0], max(1, tile // pixels)), parts(pixels, -(-pixels // count))


def columns_of(flat: Tensor, images: slice, pixels: slice) -> Tensor:
    """``[B, C, P] -> [C, columns]``, a view while the tile is of one image."""
    return flat[images, :, pixels].transpose(0, 1).flatten(1)


def spread(vectors: Tensor, out: Tensor) -> Tensor:
    """``[images, rows] -> [rows, columns]``: one value for all pixels of an image."""
    out.view(len(out), len(vectors), -1).copy_(vectors.T[:, :, None])
    return out


def inside(places: Tensor, values: Tensor, span: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Channel, column and gradient of the maxima that stand in this tile."""
    image, channel = torch.nonzero((places >= span.start) & (places < span.stop), as_tuple=True)
    column = places[image, channel] + image * (span.stop - span.start) - span.start
    return channel, column, values[image, channel]


def through_sigmoid(grad: Tensor, value: Tensor) -> None:
    """In place: the gradient before a sigmoid from the one behind it and what it gave."""
    torch.ops.aten.sigmoid_backward.grad_input(grad, value, grad_input=grad)


def collect(sums: Sequence[Tensor], grad: Tensor, inputs: Tensor) -> None:
    """Adds the tile's share to the gradients of a matrix and its bias."""
    sums[0].addmm_(grad, inputs.T)
    sums[1].add_(grad.sum(1, keepdim=True))


def weight_and_bias(conv: nn.Module) -> tuple[Tensor, Tensor]:
    """The parameters of a convolution that has both."""
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    return conv.weight, conv.bias
