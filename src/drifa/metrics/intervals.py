"""How far a metric could have come out otherwise: over other patients (bootstrap) and over other seeds (Student t)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from drifa.errors import suggest
from drifa.metrics.classification import Judged
from drifa.metrics.edges import at_edge, widened
from drifa.metrics.resampling import Measured, group_index, measure, weightings
from drifa.metrics.weighted import Floats


class Interval(TypedDict):
    """A number with its limits, None where undefined; a plain dict, so that it can be written as JSON."""

    value: float | None
    low: float | None
    high: float | None


class SeedInterval(TypedDict):
    """A mean over training seeds with its limits, the standard deviation of the seeds and their number."""

    mean: float
    low: float | None
    high: float | None
    sd: float | None
    n: int


def bootstrap(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    uncertainty: ArrayLike | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Every metric with its percentile interval, over whole groups drawn with replacement.

    Images of one lesion, slide or patient are not independent: drawing images would make the interval too narrow, so
    groups are drawn. Each network is judged alone on the same images and the metric is the mean over the networks
    (those for which it is defined).

    Args:
        labels: True class of each image.
        probabilities: Class probabilities of each network.
        groups: Group of each image; any values that have a text form.
        uncertainty: Grows with doubt; default 1 - the largest probability.
        resamples: Number of times that the groups are drawn anew.
        level: Share of the resamples between ``low`` and ``high``.
        seed: The same seed and groups give the same resamples, whatever the order of the rows.

    Shape:
        labels [N], probabilities [M, N, C], groups [N], uncertainty [M, N].

    Returns:
        ``{metric: {"value", "low", "high"}}`` for every name in ``METRICS``; ``value`` is that of the full sample. None where
        undefined: all three where the metric is, the limits where there is one group only or where more than half of
        the resamples leave the metric undefined (otherwise such resamples are left out). Shares are widened by a group that
        nobody saw, see :func:`drifa.metrics.edges.widened`; ``auc`` and ``error_auroc`` have no limits at 0 and 1. The limits
        of ``ece`` lean upwards: drawing images anew adds noise to every bin, and each bin's gap counts as an absolute value.

    Raises:
        ValueError: A shape or a value is not as described above.

    References:
        Efron and Tibshirani, An introduction to the bootstrap, 1993, chapters 8 (clustered data) and 13 (percentiles);
        Learned-Miller and Thomas, arXiv:1905.06208 (shares); Clopper and Pearson, Biometrika 1934 (shares of 0 and 1).

    Examples:
        One network, four images of two patients.

        >>> probabilities = [[[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]]]
        >>> found = bootstrap([0, 0, 1, 1], probabilities, groups=["p1", "p1", "p2", "p2"], resamples=200)
        >>> {name: round(limit, 1) for name, limit in found["accuracy"].items()}  # two patients say little
        {'value': 0.8, 'low': 0.1, 'high': 1.0}
    """
    return bootstrap_measured(_networks(labels, probabilities, uncertainty), groups, resamples, level, seed)


def bootstrap_measured(
    networks: Sequence[Measured],
    groups: Sequence[object] | ArrayLike,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Every metric that the networks report, with its percentile interval; :func:`bootstrap` for any kind of answer.

    Args:
        networks: The answers of each network, all on the same rows.
        groups: Group of each row; any values that have a text form.
        resamples: Number of times that the groups are drawn anew.
        level: Share of the resamples between ``low`` and ``high``.
        seed: The same seed and groups give the same resamples, whatever the order of the rows.

    Shape:
        groups [N].

    Returns:
        ``{metric: {"value", "low", "high"}}`` in the order of the first network; None where undefined, as in
        :func:`bootstrap`.

    Raises:
        ValueError: There is no network, they differ in their rows or metrics, or the groups do not fit.
    """
    drawn = bootstrap_draws(networks, groups, resamples, seed)
    names = group_index(groups, networks)
    labels = networks[0].labels if isinstance(networks[0], Judged) else None
    return {
        metric: at_edge(percentile_interval(value, draws, level), draws, metric, names, labels, level)
        for metric, (value, draws) in drawn.items()
    }


def bootstrap_draws(
    networks: Sequence[Measured], groups: Sequence[object] | ArrayLike, resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, Floats]]:
    """Every metric on the full sample and on each resample of whole groups, for what is made of several of them.

    Args:
        networks: As in :func:`bootstrap_measured`.
        groups: Likewise. ``[N]``
        resamples: R, the number of times that the groups are drawn anew.
        seed: The same seed and groups give the same resamples, so that draws of two methods can be subtracted.

    Returns:
        ``{metric: (value, draws [R])}``; NaN where undefined, and all draws NaN where there is one group only.

    Raises:
        ValueError: As :func:`bootstrap_measured`.
    """
    names = group_index(groups, networks)
    value = measure(networks, np.ones((1, len(names))))
    blocks = [measure(networks, weights) for weights in weightings(names, resamples, seed)]
    drawn = {metric: np.concatenate([block[metric] for block in blocks]) for metric in value}
    alone = names.max() == 0
    return {
        metric: (float(value[metric][0]), np.full_like(draws, np.nan) if alone else draws) for metric, draws in drawn.items()
    }


def paired_difference(
    labels: ArrayLike,
    probabilities_a: ArrayLike,
    probabilities_b: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    metric: str = "accuracy",
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """One metric of method a minus that of method b, both judged on the same resampled groups.

    Differences between images that are hard for both methods cancel, so this interval is narrower, and more to the point,
    than a comparison of two separate intervals.

    Args:
        labels: True class of each image.
        probabilities_a: Class probabilities of the networks of method a.
        probabilities_b: Those of method b, for the same images; the number of networks may differ.
        groups: Group of each image.
        metric: A name in ``METRICS``; ``accuracy_at_*`` and ``error_auroc`` use 1 - the largest probability as uncertainty.
        resamples: Number of times that the groups are drawn anew.
        level: Share of the resamples between ``low`` and ``high``.
        seed: As in ``bootstrap``: the same resamples for the same seed and groups.

    Shape:
        labels [N], probabilities_a [M, N, C], probabilities_b [M', N, C], groups [N].

    Returns:
        ``{"value", "low", "high"}``; None where undefined, as in ``bootstrap``.

    Raises:
        ValueError: The metric is unknown, or a shape or a value is not as described above.
    """
    a, b = _networks(labels, probabilities_a, None), _networks(labels, probabilities_b, None)
    return paired_difference_measured(a, b, groups, metric, resamples, level, seed)


def paired_difference_measured(
    a: Sequence[Measured],
    b: Sequence[Measured],
    groups: Sequence[object] | ArrayLike,
    metric: str,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """One metric of method a minus that of method b; :func:`paired_difference` for any kind of answer.

    Args:
        a: The answers of the networks of method a.
        b: Those of method b, on the same rows; the number of networks may differ.
        groups: Group of each row.
        metric: A metric that all of them report.
        resamples: Number of times that the groups are drawn anew.
        level: Share of the resamples between ``low`` and ``high``.
        seed: As in ``bootstrap``: the same resamples for the same seed and groups.

    Shape:
        groups [N].

    Returns:
        ``{"value", "low", "high"}``; None where undefined, as in ``bootstrap``.

    Raises:
        ValueError: The metric is unknown, a method has no network, they differ in their rows or metrics, or the groups do
            not fit.
    """
    names = group_index(groups, a)
    group_index(groups, b)

    def difference(weights: Floats) -> Floats:
        of_a, of_b = measure(a, weights), measure(b, weights)
        for known in (of_a, of_b):
            if metric not in known:
                raise ValueError(f"metric {metric!r} is unknown{suggest(metric, known)}")
        return of_a[metric] - of_b[metric]

    value = difference(np.ones((1, len(names))))[0]
    draws = np.concatenate([difference(w) for w in weightings(names, resamples, seed)])
    return percentile_interval(value, draws if names.max() else np.full_like(draws, np.nan), level)


def seed_interval(values: Sequence[float], level: float = 0.95) -> SeedInterval:
    """Mean of one number over training seeds, with the Student-t interval of that mean.

    Args:
        values: The number, once per seed.
        level: Confidence level.

    Returns:
        ``{"mean", "low", "high", "sd", "n"}``; ``sd`` is the sample standard deviation (n - 1). Of a single seed the
        limits and ``sd`` are None.

    Raises:
        ValueError: There is no value, or one is not finite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or numbers.size == 0 or not np.isfinite(numbers).all():
        raise ValueError(f"seed values {numbers.tolist()} must be one or more finite numbers: leave undefined ones out")
    n, mean = len(numbers), float(numbers.mean())
    if n == 1:
        return {"mean": mean, "low": None, "high": None, "sd": None, "n": 1}
    from scipy.stats import t

    sd = float(numbers.std(ddof=1))
    half = float(t.ppf((1 + level) / 2, n - 1)) * sd / n**0.5
    return {"mean": mean, "low": mean - half, "high": mean + half, "sd": sd, "n": n}


def mean_interval(
    values: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    rate: bool = False,
) -> Interval:
    """The mean of a number per subject, with a percentile interval over whole groups drawn with replacement.

    Args:
        values: One number per subject; NaN is left out. ``[N]``
        groups: One name per subject. ``[N]``
        resamples: Number of times that the groups are drawn anew.
        level: Share of the resamples between ``low`` and ``high``.
        seed: The same seed and groups give the same resamples.
        rate: The numbers are shares: their limits are those of :func:`drifa.metrics.edges.widened`.

    Returns:
        ``{"value", "low", "high"}``; all None without a number, the limits None with one group only.
    """
    numbers, names = np.asarray(values, dtype=np.float64), np.asarray(groups).astype(str)
    numbers, names = numbers[~np.isnan(numbers)], names[~np.isnan(numbers)]
    if not len(numbers):
        return {"value": None, "low": None, "high": None}
    index = np.unique(names, return_inverse=True)[1]
    draws = np.concatenate([weights @ numbers / weights.sum(axis=1) for weights in weightings(index, resamples, seed)])
    mean = float(numbers.mean())
    found = percentile_interval(mean, draws if index.max() else np.full_like(draws, np.nan), level)
    return widened(found, draws, [int(index.max()) + 1], level) if rate else found


def _networks(labels: ArrayLike, probabilities: ArrayLike, uncertainty: ArrayLike | None) -> list[Judged]:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 3 or len(p) == 0:
        raise ValueError(f"probabilities of shape {p.shape} must be [networks, images, classes]: for one network give p[None]")
    doubt: list[ArrayLike | None] = [None] * len(p)
    if uncertainty is not None:
        table = np.asarray(uncertainty, dtype=np.float64)
        if table.shape != p.shape[:2]:
            raise ValueError(f"uncertainty of shape {table.shape} must be [networks, images] = {p.shape[:2]}")
        doubt = list(table)
    return [Judged(labels, one, its_doubt) for one, its_doubt in zip(p, doubt, strict=True)]


def percentile_interval(value: float, draws: Floats, level: float = 0.95) -> Interval:
    """A value with the percentiles of its draws; the limits are None where more than half of the draws are undefined.

    Args:
        value: Of the full sample; NaN makes all None.
        draws: Of the resamples, NaN where undefined. ``[R]``
        level: Share of the draws between ``low`` and ``high``.
    """
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    defined = draws[~np.isnan(draws)]
    if 2 * len(defined) < len(draws):
        return {"value": float(value), "low": None, "high": None}
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return {"value": float(value), "low": float(low), "high": float(high)}
