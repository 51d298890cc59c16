"""The decoder of SegNet: the encoder mirrored, with unpooling to the places that the encoder's maxima came from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class SegNetDecoder(nn.Module):
    """Unpooling, then as many convolutions (3x3, BatchNorm, ReLU) as the encoder's stage has, from the deepest stage up.

    The last convolution of a stage gives the channels of the next one. There is no attention in it: the paper names none.

    Args:
        counts: Convolutions of every encoder stage.
        channels: Channels of every encoder stage.

    Shape:
        - x: ``[N, C_K, H / 2^K, W / 2^K]``, the deepest maps after their pooling.
        - indices: per stage int64 ``[N, C_k, H / 2^(k + 1), W / 2^(k + 1)]``, from ``max_pool2d``.
        - output: ``[N, C_1, H, W]``.
    """

    def __init__(self, counts: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for k, (count, width) in enumerate(zip(counts, channels, strict=True)):
            widths = [width] * count + [channels[max(k - 1, 0)]]
            layers = [layer for pair in pairwise(widths) for layer in _block(*pair)]
            self.stages.append(nn.Sequential(*layers))

    def forward(self, x: Tensor, indices: Sequence[Tensor]) -> Tensor:
        for stage, places in zip(reversed(self.stages), reversed(indices), strict=True):
            x = stage(unpool(x, places))
        return x


def unpool(x: Tensor, places: Tensor) -> Tensor:
    """Puts each value at its place in a map of twice the height and width, zeros elsewhere.

    A scatter does what ``max_unpool2d`` does, and torch's deterministic mode does not refuse it.
    """
    n, c, h, w = x.shape
    return x.new_zeros(n, c, 4 * h * w).scatter(2, places.flatten(2), x.flatten(2)).view(n, c, 2 * h, 2 * w)


def _block(wide: int, narrow: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(wide, narrow, 3, padding=1, bias=False)  # a bias before BatchNorm has no effect
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")  # as timm starts the encoder
    return conv, nn.BatchNorm2d(narrow), nn.ReLU(inplace=True)
