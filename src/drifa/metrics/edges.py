"""What can be said of a rate near 0 or 1, of which too many bootstrap resamples say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drifa.metrics.classification import COVERAGES
from drifa.metrics.weighted import Floats

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


def widened(found: Interval, draws: Floats, groups: Sequence[int], level: float = 0.95) -> Interval:
    r"""The interval of a share with one more group that nobody saw: all wrong for the lower limit, all right for the upper.

    The bootstrap draws no error that is not there, so its limits of a share near 0 or 1 are too narrow, and at 0 and 1 they
    have no width. A group beyond the G that were seen takes a part :math:`W \sim \mathrm{Beta}(1, G)` of each resample
    :math:`\theta^*`: the limits are the quantiles of :math:`\theta^* (1 - W)` and of :math:`\theta^* (1 - W) + W`. Of groups
    that are wholly right or wrong these are, but for the difference between drawing groups and weighing them, the limits of
    Clopper and Pearson, and at 0 and 1 exactly those. More errors never raise a limit, whatever the groups.

    Args:
        found: Of the bootstrap.
        draws: Of the resamples, between 0 and 1, NaN where undefined. ``[R]``
        groups: How many groups a share is of; of a mean over classes, those of each class.
        level: Confidence level.

    References:
        Gaffke, Mathematical Methods of Statistics 2005; Learned-Miller and Thomas, A new confidence interval for the mean of a
        bounded random variable, arXiv:1905.06208 (its link to Clopper and Pearson).
    """
    value = found["value"]
    if value is None or found["low"] is None or found["high"] is None:
        return found
    theta = draws[~np.isnan(draws)]
    if len(groups) == 1 and value in (0, 1) and (theta == value).all():
        return edge_interval(value, groups[0], level)
    random, ranks = np.random.default_rng(len(theta)), (np.arange(len(theta)) + 0.5) / len(theta)
    unseen = np.mean([1 - random.permutation(ranks) ** (1 / count) for count in groups], axis=0)
    low = float(np.quantile(theta * (1 - unseen), (1 - level) / 2))
    high = float(np.quantile(theta * (1 - unseen) + unseen, (1 + level) / 2))
    return {"value": value, "low": low, "high": high}


def at_edge(
    found: Interval,
    draws: Floats,
    metric: str,
    group_index: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    level: float = 0.95,
) -> Interval:
    """The interval of a metric as it can be believed near 0 and 1.

    A rate over the surest 80 % counts the fewest groups that these images can come from; a mean over classes the groups of
    each class. A rank of which every resample says 0 or 1 has no limits.

    Args:
        found: Of the bootstrap.
        draws: Of its resamples. ``[R]``
        metric: Its name.
        group_index: Group of each row, from 0. ``[N]``
        labels: Class of each row; None for numbers. ``[N]``
        level: Confidence level.
    """
    value = found["value"]
    if metric in RANKS and value in (0, 1) and found["low"] == found["high"]:
        return {"value": value, "low": None, "high": None}
    if metric in MEANS_OF_RATES and labels is not None:
        counts = [len(np.unique(group_index[labels == label])) for label in np.unique(labels)]
        return widened(found, draws, counts, level)
    if metric in RATES:
        sizes = np.sort(np.bincount(group_index))[::-1]
        kept = np.ceil(RATES[metric] * len(group_index) - 1e-9)
        return widened(found, draws, [int(np.searchsorted(np.cumsum(sizes), kept)) + 1], level)
    return found
