"""Is a difference between two methods real? Its interval, its p-value among many, and what the sample could have shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from drifa.metrics.intervals import percentile_interval
from drifa.metrics.weighted import Floats

#: Standard errors that a difference must have to be found four times out of five at the 5 % level: 1.96 + 0.84.
POWER_80 = 2.8


class Difference(TypedDict):
    """One method minus another on the same resamples; None where undefined.

    Keys:
        value, low, high: The difference and its percentile interval.
        se: Standard deviation over the resamples.
        p: Two-sided; how readily the resamples fall on the other side of 0.
        detectable: The smallest difference that such a sample shows four times out of five; None where the two are the same in
            every resample, which does not tell.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    p: float | None
    detectable: float | None


def paired(value_a: float, draws_a: Floats, value_b: float, draws_b: Floats, level: float = 0.95) -> Difference:
    """Method a minus method b.

    Args:
        value_a: A metric of a on the full sample.
        draws_a: The same on the resamples, from :func:`drifa.metrics.intervals.bootstrap_draws`. ``[R]``
        value_b: Of b.
        draws_b: Of b, on the same resamples. ``[R]``
        level: Share of the resamples between ``low`` and ``high``.

    Examples:
        >>> import numpy as np
        >>> found = paired(0.9, np.full(200, 0.9), 0.8, np.linspace(0.79, 0.81, 200))
        >>> round(found["value"], 2), found["low"] > 0, round(found["p"], 3)
        (0.1, True, 0.01)
    """
    draws = draws_a - draws_b
    interval = percentile_interval(value_a - value_b, draws, level)
    if interval["low"] is None:
        return {**interval, "se": None, "p": None, "detectable": None}
    defined = draws[~np.isnan(draws)]
    se = float(defined.std(ddof=1)) if len(defined) > 1 else 0.0
    beyond = min((defined <= 0).sum(), (defined >= 0).sum())
    # The sample itself counts as one draw more, so that no finite number of resamples gives a p-value of 0.
    p = min(1.0, 2 * (1 + float(beyond)) / (1 + len(defined)))
    return {**interval, "se": se, "p": p, "detectable": POWER_80 * se if se > 0 else None}


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number, so that the chance of any false finding among them stays below the level.

    References:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    count, largest, found = len(p_values), 0.0, [0.0] * len(p_values)
    for rank, index in enumerate(sorted(range(count), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        found[index] = largest
    return found
