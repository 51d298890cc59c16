"""How well each class is told from the others as the bar on its probability falls: ROC, precision-recall and their bands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drifa.metrics.edges import widened
from drifa.metrics.intervals import Interval, bootstrap_draws, percentile_interval
from drifa.metrics.resampling import group_index
from drifa.metrics.weighted import Floats, Ranking, ratio, row_weights

#: Shares of the others falsely called, and of the class found, at which a band has its limits.
STEPS = tuple(step / 50 for step in range(51))


@dataclass(frozen=True)
class RankedClass:
    """One class against all others.

    Attributes:
        auc: Area under the ROC curve; without limits at 0 and 1.
        average_precision: Precision at each step, weighted by what that step finds more; without limits at 0 and 1.
        found: Share of the class found, where at most a share of the others as in :data:`STEPS` is falsely called.
        precision: Share right among those called, where a share of the class as in :data:`STEPS` is found, the first left out.
    """

    auc: Interval
    average_precision: Interval
    found: list[Interval]
    precision: list[Interval]

    def found_at(self, specificity: float) -> Interval:
        """Share of the class found where at least that share of the others is not called, one of 1 - :data:`STEPS`."""
        return self.found[STEPS.index(round(1 - specificity, 2))]


def ranked_classes(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    only: Collection[int] | None = None,
) -> list[RankedClass | None]:
    """ROC and precision-recall of each class, with the middle 95 % over whole groups drawn with replacement.

    The limits are those of each point alone: a whole curve leaves its band more often. They are widened by a group that nobody
    saw, see :func:`drifa.metrics.edges.widened`.

    Args:
        labels: True class of each case.
        probabilities: Of each class.
        groups: Group of each case; any values that have a text form.
        resamples: Number of times that the groups are drawn anew.
        seed: The same seed and groups give the same resamples as every other metric.
        only: Classes that are looked at; None for all.

    Shape:
        labels [N], probabilities [N, C], groups [N].

    Returns:
        One entry per class; None for a class that no case or every case has, or that is not looked at.

    Raises:
        ValueError: The shapes do not fit.

    Examples:
        Of two ill and two healthy, one healthy is ranked above one ill.

        >>> ill = [[0.1, 0.9], [0.6, 0.4], [0.4, 0.6], [0.8, 0.2]]
        >>> found = ranked_classes([1, 1, 0, 0], ill, groups=range(4))[1]
        >>> found.auc["value"], found.found_at(0.5)["value"], found.found_at(0.9)["value"]
        (0.75, 1.0, 0.5)
    """
    classes, p = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or classes.shape != p.shape[:1] or not len(p):
        raise ValueError(f"probabilities of shape {p.shape} must have a row per case, of {classes.shape}")
    return [
        _ranked(classes == number, p[:, number], groups, resamples, seed) if only is None or number in only else None
        for number in range(p.shape[1])
    ]


def _ranked(
    truth: NDArray[np.bool_], score: Floats, groups: Sequence[object] | ArrayLike, resamples: int, seed: int
) -> RankedClass | None:
    if not truth.any() or truth.all():
        return None
    judged = _Ranked(truth, score)
    drawn = bootstrap_draws([judged], groups, resamples, seed)
    names = group_index(groups, [judged])

    def share(name: str, count: int) -> Interval:
        value, draws = drawn[name]
        return widened(percentile_interval(value, draws), draws, [count])

    ill = len(np.unique(names[truth]))
    return RankedClass(
        auc=_rank(*drawn["auc"]),
        average_precision=_rank(*drawn["average_precision"]),
        found=[share(f"found_{step}", ill) for step in STEPS],
        precision=[share(f"precision_{step}", len(np.unique(names[judged.called_at(step)]))) for step in STEPS[1:]],
    )


def _rank(value: float, draws: Floats) -> Interval:
    """At 0 and 1 every resample says the same, which tells nothing of others."""
    if value in (0, 1):
        return {"value": value, "low": None, "high": None}
    return percentile_interval(value, draws)


class _Ranked:
    """One class's probabilities, ready to be weighted: two curves at fixed places, and their areas."""

    def __init__(self, truth: NDArray[np.bool_], score: Floats) -> None:
        self.truth, self.score = truth, score
        self._falling, self._rising = Ranking(-score), Ranking(score)

    def __len__(self) -> int:
        return len(self.truth)

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Both curves and their areas under each of R weightings, [R, N] -> each [R]; NaN where a side was not drawn."""
        called = self._falling.cumulative(weights)
        hits = self._falling.cumulative(weights * self.truth)
        recall = ratio(hits, hits[:, -1:])
        false = ratio(called - hits, (called - hits)[:, -1:])
        right = ratio(hits, called)
        found = np.full((len(weights), len(STEPS)), np.nan)
        precision = np.full((len(weights), len(STEPS)), np.nan)
        for row in np.flatnonzero(~np.isnan(recall[:, -1] + false[:, -1])):
            last = np.searchsorted(false[row], np.asarray(STEPS) + 1e-9, side="right")
            found[row] = np.append(0.0, recall[row])[last]
            precision[row] = right[row, _reaching(recall[row], STEPS)]
        steps = np.diff(recall, axis=1, prepend=0.0)
        return {
            "auc": self._rising.auc(weights, self.truth),
            "average_precision": np.where(np.isnan(recall[:, -1]), np.nan, np.nansum(steps * right, axis=1)),
            **{f"found_{step}": found[:, place] for place, step in enumerate(STEPS)},
            **{f"precision_{step}": precision[:, place] for place, step in enumerate(STEPS)},
        }

    def called_at(self, step: float) -> NDArray[np.bool_]:
        """The cases called where that share of the class is found."""
        bars = np.unique(self.score)[::-1]
        recall = self._falling.cumulative(row_weights(None, len(self))[None] * self.truth)[0] / self.truth.sum()
        return np.asarray(self.score >= bars[_reaching(recall, [step])[0]])


def _reaching(recall: Floats, steps: Sequence[float]) -> NDArray[np.intp]:
    """First place at which each share is found; rounding does not put it off to the next."""
    return np.searchsorted(recall, np.asarray(steps) - 1e-9).clip(max=len(recall) - 1)
