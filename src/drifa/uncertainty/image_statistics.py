"""A few plain numbers of an image, and how far they lie outside those of the training images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drifa.errors import DrifaError
from drifa.metrics.weighted import Floats

#: What :func:`image_statistics` gives, in this order.
STATISTICS = ("size", "shape", "mean", "contrast", "detail", "colour", "warmth", "black", "white")
#: Grey levels up to the first count as black, from the second on as white (saturated).
BLACK, WHITE = 5, 250
#: The training images' range: between these quantiles.
RANGE = (0.025, 0.975)
#: A range counts as at least this wide on either side: less than a hundredth of a statistic is no difference.
NARROWEST = 0.01


def image_statistics(image: ArrayLike) -> Floats:
    """Size, brightness, contrast and colour of an image.

    A quarter turn or a mirror changes none of them. ``size`` is the binary logarithm of the side of a square of as many pixels,
    ``shape`` that of the longer side over the shorter; ``mean`` the brightness between 0 and 1; ``contrast`` and ``detail`` the
    binary logarithms of 1 + the standard deviation and of 1 + the mean step between neighbouring pixels, in grey levels;
    ``colour`` the mean difference between the largest and the least channel and ``warmth`` that between red and blue, both in
    shares of 255 and 0 for grey images; ``black`` and ``white`` the shares of channel values at either end.

    Args:
        image: Grey or RGB levels. uint8 ``[H, W]``, ``[H, W, 1]`` or ``[H, W, 3]``

    Shape:
        ``[len(STATISTICS)]``

    Raises:
        DrifaError: It is no such array, or has no pixels.
    """
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.size == 0 or pixels.shape[2:] not in ((), (1,), (3,)):
        raise DrifaError(
            f"an image of shape {pixels.shape} and type {pixels.dtype} has no statistics: give uint8 levels of [H, W] or "
            "[H, W, 3], one image at a time"
        )
    height, width = pixels.shape[:2]
    levels = pixels.reshape(height, width, -1).astype(np.float64)
    grey = levels.mean(axis=2)
    steps = np.concatenate([np.abs(np.diff(grey, axis=axis)).ravel() for axis in (0, 1)])
    return np.array(
        [
            np.log2(height * width) / 2,
            abs(np.log2(height / width)),
            levels.mean() / 255,
            np.log2(1 + grey.std()),
            np.log2(1 + steps.mean()) if len(steps) else 0.0,
            (levels.max(axis=2) - levels.min(axis=2)).mean() / 255,
            (levels[..., 0] - levels[..., -1]).mean() / 255,
            (pixels <= BLACK).mean(),
            (pixels >= WHITE).mean(),
        ]
    )


def statistics_of(images: Iterable[ArrayLike]) -> Floats:
    """The statistics of images of any sizes, one after the other, N images -> [N, S]."""
    rows = [image_statistics(image) for image in images]
    return np.stack(rows) if rows else np.empty((0, len(STATISTICS)))


@dataclass(frozen=True)
class Ranges:
    """How far the statistic that fits least lies from the training images, in widths of their range on its side.

    Attributes:
        centre: Medians. ``[S]``
        below: Widths from the lower end of the range to the median. ``[S]``
        above: Widths from the median to the upper end. ``[S]``
    """

    centre: Floats
    below: Floats
    above: Floats

    @classmethod
    def fit(cls, statistics: Floats) -> Self:
        """Learns the ranges of training images.

        Shape:
            statistics [N, S].
        """
        low, centre, high = np.quantile(statistics, (RANGE[0], 0.5, RANGE[1]), axis=0)
        return cls(centre, np.maximum(centre - low, NARROWEST), np.maximum(high - centre, NARROWEST))

    def __call__(self, statistics: Floats) -> NDArray[np.float64]:
        """Shape: statistics [N, S] -> [N]."""
        away = statistics - self.centre
        return np.where(away < 0, -away / self.below, away / self.above).max(axis=1)
