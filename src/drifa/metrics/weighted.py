"""What every table of metrics is made of: counts of rows, means that leave out the undefined, and rows in order of a score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def row_weights(weights: ArrayLike | None, count: int) -> Floats:
    """How often each row counts, checked; once each where None is given.

    Shape:
        weights [N] -> [N].

    Raises:
        ValueError: The weights are not N whole numbers of 0 or more, or all of them are 0.
    """
    counts = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if (
        counts.shape != (count,)
        or not ((counts >= 0) & np.isfinite(counts) & (counts == np.floor(counts))).all()
        or counts.sum() == 0
    ):
        raise ValueError(
            f"weights of shape {counts.shape} do not fit {count} rows: give one whole number, 0 or more, per row, "
            "not all of them 0"
        )
    return counts


class Ranking:
    """Rows in ascending order of a score, with the runs of equal scores found once."""

    def __init__(self, score: Floats) -> None:
        self._order = np.argsort(score, kind="stable")
        ordered = score[self._order]
        self._last_of_run = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))

    def cumulative(self, weights: Floats) -> Floats:
        """Sum of the weights up to and including each run of equal scores, [R, N] -> [R, runs]."""
        return np.cumsum(weights[:, self._order], axis=1)[:, self._last_of_run]

    def auc(self, weights: Floats, positive: NDArray[np.bool_]) -> Floats:
        """Chance that a positive row scores above a negative one, ties counting one half, [R, N] -> [R]; NaN if undefined."""
        if not positive.any() or positive.all():
            return np.full(len(weights), np.nan)
        ordered = weights[:, self._order]
        above = np.cumsum(ordered * positive[self._order], axis=1)[:, self._last_of_run]
        below = np.cumsum(ordered, axis=1)[:, self._last_of_run] - above
        in_run = np.diff(above, axis=1, prepend=0.0)
        # Negatives below a run, plus half of those inside it.
        beaten = below - np.diff(below, axis=1, prepend=0.0) / 2
        return ratio((in_run * beaten).sum(axis=1), above[:, -1] * below[:, -1])

    def mean_of_lowest(self, weights: Floats, values: Floats, shares: Floats) -> Floats:
        """Mean of a value over the given shares of rows with the lowest scores, rounded up to whole rows.

        Rows of the same score share the last places evenly, so that the order of the rows does not matter.

        Shape:
            weights [R, N], values [N], shares [S] -> [R, S].
        """
        kept, summed = self.cumulative(weights), self.cumulative(weights * values)
        rows, columns = np.arange(len(weights)), []
        for share in shares:
            # The small number keeps 0.9 * 10 = 9.000000000000002 from being rounded up to ten rows.
            target = np.maximum(np.ceil(share * kept[:, -1] - 1e-9), 1.0)
            last = (kept < target[:, None]).sum(axis=1)
            before = np.where(last > 0, kept[rows, last - 1], 0.0)
            summed_before = np.where(last > 0, summed[rows, last - 1], 0.0)
            part = (target - before) / (kept[rows, last] - before)
            columns.append((summed_before + part * (summed[rows, last] - summed_before)) / target)
        return np.stack(columns, axis=1)


def mean_defined(values: Floats, axis: int) -> Floats:
    """Mean of the entries that are not NaN; NaN where there is none."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=axis), defined.sum(axis=axis))


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """The one by the other; NaN where the denominator is not above 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=np.asarray(denominator) > 0)
