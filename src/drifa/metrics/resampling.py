"""Answers judged under many weightings of the same rows: what every bootstrap of whole groups is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from drifa.metrics.weighted import Floats, mean_defined

# Weightings are judged a block at a time: a block of 2^18 numbers (2 MiB) stays in the processor's cache.
BLOCK = 2**18


class Measured(Protocol):
    """One network's answers on N rows, ready to be judged under any number of weightings.

    :class:`drifa.metrics.classification.Judged` and :class:`drifa.metrics.regression.JudgedNumbers` are two.
    """

    def __len__(self) -> int:
        """The number of rows."""

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Every metric under each of R weightings, [R, N] -> each [R]; NaN where undefined."""


def group_index(groups: Sequence[object] | ArrayLike, networks: Sequence[Measured]) -> np.ndarray:
    """The group of each row as a number from 0. ``[N]``

    Args:
        groups: Any values that have a text form. ``[N]``
        networks: Whose rows they are of.

    Raises:
        ValueError: There is no network, they differ in their rows, or the groups do not fit.
    """
    if not len(networks):
        raise ValueError("there is no network to judge: give the answers of one or more")
    rows = [len(network) for network in networks]
    if len(set(rows)) > 1:
        raise ValueError(f"the networks answer for {rows} rows: judge all of them on the same rows")
    names = np.asarray(groups).astype(str)
    if names.shape != (rows[0],):
        raise ValueError(f"groups of shape {names.shape} do not fit {rows[0]} rows: give one group per row")
    return np.unique(names, return_inverse=True)[1]


def weightings(index: np.ndarray, resamples: int, seed: int) -> Iterator[Floats]:
    """Blocks of weightings [r, N], r summing to ``resamples``: how often each row's group was drawn.

    Args:
        index: From :func:`group_index`. ``[N]``
        resamples: How many; at least one.
        seed: The same seed and groups give the same weightings.

    Raises:
        ValueError: There are no resamples.
    """
    if resamples < 1:
        raise ValueError(f"{resamples} resamples make no interval: ask for at least one, better 1000")
    random, n_groups = np.random.default_rng(seed), int(index.max()) + 1
    rows = max(1, BLOCK // len(index))
    for start in range(0, resamples, rows):
        drawn = random.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=min(rows, resamples - start))
        yield drawn[:, index].astype(np.float64)


def measure(networks: Sequence[Measured], weights: Floats) -> dict[str, Floats]:
    """Every metric under each of R weightings, the mean over the networks for which it is defined, [R, N] -> each [R].

    Raises:
        ValueError: The networks report different metrics.
    """
    each = [network.measure(weights) for network in networks]
    for one in each[1:]:
        if one.keys() != each[0].keys():
            raise ValueError(f"the networks report {list(each[0])} and {list(one)}: judge all of them by the same metrics")
    return {metric: mean_defined(np.stack([one[metric] for one in each]), axis=0) for metric in each[0]}
