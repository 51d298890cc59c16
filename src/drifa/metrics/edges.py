"""What can be said of a rate of 0 or 1, of which every bootstrap resample says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drifa.metrics.classification import COVERAGES

if TYPE_CHECKING:
    from drifa.metrics.intervals import Interval

#: Shares of right or covered rows, and the share of all rows that they are of.
RATES = {"accuracy": 1.0, "coverage_90": 1.0, **{f"accuracy_at_{percent}": percent / 100 for percent in COVERAGES}}
#: Means of such shares over the classes.
MEANS_OF_RATES = ("balanced_accuracy", "precision", "recall", "f1", "specificity")
#: Chances that one row ranks above another; at 0 or 1 a bootstrap says nothing of them.
RANKS = ("auc", "error_auroc")


def edge_interval(value: float, groups: int, level: float = 0.95) -> Interval:
    """The exact interval of a rate of 0 or 1 that as many groups agree on (Clopper and Pearson).

    Drawing 59 right answers again and again gives 59 right answers, an interval of no width; yet a true rate of 94 % gives
    59 of 59 now and then. Groups count, not images: images of one group may all be right for one reason.

    Args:
        value: 0 or 1.
        groups: How many there are, 1 or more.
        level: Confidence level.

    Returns:
        ``{"value", "low", "high"}``.

    Raises:
        ValueError: The value is neither 0 nor 1, or there is no group.

    References:
        Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 1934.

    Examples:
        >>> round(edge_interval(1, 59)["low"], 2)
        0.94
    """
    if value not in (0, 1) or groups < 1:
        raise ValueError(f"a rate of {value} over {groups} groups is not at an edge: give 0 or 1, over one group or more")
    reach = ((1 - level) / 2) ** (1 / groups)
    if value == 1:
        return {"value": 1.0, "low": reach, "high": 1.0}
    return {"value": 0.0, "low": 0.0, "high": 1 - reach}


def at_edge(
    found: Interval, metric: str, group_index: NDArray[np.int64], labels: NDArray[np.int64] | None, level: float
) -> Interval:
    """The interval itself, or one that can be believed where every resample gave the same 0 or 1.

    A rate over the surest 80 % counts the fewest groups that these images can come from; a mean over classes the groups of
    the class that has fewest, below whose limit no class need be.

    Args:
        found: Of the bootstrap.
        metric: Its name.
        group_index: Group of each row, from 0. ``[N]``
        labels: Class of each row; None for numbers. ``[N]``
        level: Confidence level.
    """
    value = found["value"]
    if value is None or value not in (0, 1) or found["low"] is None or found["low"] != found["high"]:
        return found
    if metric in RANKS:
        return {"value": value, "low": None, "high": None}
    if metric in MEANS_OF_RATES and labels is not None:
        counts = [len(np.unique(group_index[labels == label])) for label in np.unique(labels)]
        return edge_interval(value, min(counts), level)
    if metric in RATES:
        sizes = np.sort(np.bincount(group_index))[::-1]
        kept = np.ceil(RATES[metric] * len(group_index) - 1e-9)
        return edge_interval(value, int(np.searchsorted(np.cumsum(sizes), kept)) + 1, level)
    return found
