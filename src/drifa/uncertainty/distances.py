"""How far pooled features lie from those of the training images: two distances that need no labels of the new image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drifa.errors import DrifaError
from drifa.metrics.classification import Integers
from drifa.metrics.weighted import Floats

#: So many directions of the covariance are kept one by one; the others count alike, by their mean variance.
MOST_DIRECTIONS = 256
#: So many numbers (4 MiB of float32) hold the rows among which neighbours are looked for.
MOST_NUMBERS = 2**20
#: The distance is that to so many-th neighbour, which one odd training image does not decide.
NEIGHBOURS = 5
#: A feature that varies by less than this share of its largest value is constant, and left out.
CONSTANT = 1e-7


@dataclass(frozen=True)
class Distance(ABC):
    """Fitted on training features; each feature is divided by its spread, so that its unit does not matter.

    Attributes:
        mean: Of each feature. ``[F]``
        weight: 1 / standard deviation of each feature; 0 of one that is constant. ``[F]``
    """

    mean: Floats
    weight: Floats

    @classmethod
    @abstractmethod
    def fit(cls, features: Floats, labels: Integers, seed: int) -> Self:
        """Learns from training images.

        Args:
            features: Pooled. ``[N, F]``
            labels: Number of each image's class. ``[N]``
            seed: Of what is drawn at random.
        """

    @abstractmethod
    def __call__(self, features: Floats) -> Floats:
        """Shape: features [N, F] -> [N]."""

    def scaled(self, features: Floats) -> Floats:
        """Features without a unit, [N, F] -> [N, F]."""
        return (features - self.mean) * self.weight


@dataclass(frozen=True)
class Mahalanobis(Distance):
    """The distance to the nearest class mean, under a covariance that the classes share, shrunk by Ledoit and Wolf's rule.

    Attributes:
        centres: Scaled class means. ``[C, F]``
        directions: Orthonormal directions of the largest variance within classes. ``[K, F]``
        precision: 1 / variance of each direction, and last that of all other directions (0 where there are none). ``[K + 1]``

    References:
        Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, J. Multivariate Analysis 2004;
        Lee et al., A simple unified framework for detecting out-of-distribution samples and adversarial attacks, NeurIPS 2018.
    """

    centres: Floats
    directions: NDArray[np.float32]
    precision: Floats

    @classmethod
    def fit(cls, features: Floats, labels: Integers, seed: int) -> Self:
        """Learns from training images, see :class:`Distance`; nothing is drawn."""
        from sklearn.covariance import LedoitWolf

        centres = np.stack([features[labels == index].mean(axis=0) for index in range(labels.max() + 1)])
        mean = features.mean(axis=0)
        weight = _weights(features - centres[labels], features)
        used = weight > 0
        within = ((features - centres[labels]) * weight)[:, used]
        variances, directions = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(within).covariance_)
        variances = np.maximum(variances, variances[-1] * 1e-9)
        kept = min(MOST_DIRECTIONS, len(variances))
        spread = np.zeros((kept, len(mean)), dtype=np.float32)
        spread[:, used] = directions[:, -kept:].T
        rest = 1 / variances[:-kept].mean() if kept < len(variances) else 0.0
        return cls(mean, weight, (centres - mean) * weight, spread, np.append(1 / variances[-kept:], rest))

    def __call__(self, features: Floats) -> Floats:
        """Shape: features [N, F] -> [N]."""
        each, rest, directions = self.precision[:-1], self.precision[-1], self.directions.astype(np.float64)
        nearest = np.full(len(features), np.inf)
        for centre in self.centres:
            away = self.scaled(features) - centre
            along = (away @ directions.T) ** 2
            outside = np.maximum((away**2).sum(axis=1) - along.sum(axis=1), 0)
            nearest = np.minimum(nearest, along @ each + rest * outside)
        return np.sqrt(nearest)


@dataclass(frozen=True)
class Neighbours(Distance):
    """The distance to the ``NEIGHBOURS``-th nearest of some training images: no shape of the classes is assumed.

    Attributes:
        rows: Scaled features of training images, drawn at random where there are too many to keep. ``[R, F]``

    References:
        Sun et al., Out-of-distribution detection with deep nearest neighbors, ICML 2022.
    """

    rows: NDArray[np.float32]

    @classmethod
    def fit(cls, features: Floats, labels: Integers, seed: int) -> Self:
        """Learns from training images, see :class:`Distance`."""
        mean = features.mean(axis=0)
        weight = _weights(features - mean, features)
        # In the order of their values, so that the same images are drawn whatever their order.
        ordered = features[np.lexsort(features.T[::-1])]
        most = max(NEIGHBOURS, MOST_NUMBERS // features.shape[1])
        drawn = np.random.default_rng(seed).permutation(len(ordered))[:most]
        return cls(mean, weight, ((ordered[drawn] - mean) * weight).astype(np.float32))

    def __call__(self, features: Floats) -> Floats:
        """Shape: features [N, F] -> [N]."""
        from sklearn.neighbors import NearestNeighbors

        if not len(features):
            return np.empty(0)
        search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(self.rows))).fit(self.rows.astype(np.float64))
        return search.kneighbors(self.scaled(features))[0][:, -1]


#: Method -> how it is fitted.
DISTANCES: dict[str, type[Distance]] = {"mahalanobis": Mahalanobis, "neighbours": Neighbours}


def check_table(values: ArrayLike, what: str, columns: int | None = None) -> Floats:
    """A table of finite numbers, one row per image.

    Args:
        values: ``[N, F]``
        what: What it is, for the error.
        columns: F; None = any.

    Raises:
        DrifaError: It is no such table, has another number of columns, or a value is NaN or infinite.
    """
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DrifaError(f"{what} are no table of numbers ({error}): give one row per image") from error
    if table.ndim != 2 or table.shape[1] == 0:
        raise DrifaError(f"{what} of shape {table.shape} are no table: give one row per image, [N, F]")
    if columns is not None and table.shape[1] != columns:
        raise DrifaError(
            f"{what} of {table.shape[1]} numbers per image do not fit a check fitted on {columns}: take them from the same "
            "network, or fit the check again"
        )
    lost = np.argwhere(~np.isfinite(table))
    if len(lost):
        raise DrifaError(
            f"{what} hold {table[tuple(lost[0])]} in row {lost[0][0]}: the network has diverged or its input is broken; "
            "leave out such rows or train again"
        )
    return table


def _weights(centred: Floats, features: Floats) -> Floats:
    spread = np.sqrt((centred**2).mean(axis=0))
    varies = spread > CONSTANT * np.abs(features).max(axis=0)
    if not varies.any():
        raise DrifaError(
            f"none of the {len(spread)} features varies over {len(features)} training images: give different images, or take "
            "the features from a trained network"
        )
    return np.where(varies, 1 / np.where(varies, spread, 1), 0.0)
