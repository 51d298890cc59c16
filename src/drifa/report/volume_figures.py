"""Figures of segmented volumes: Dice by the size of the true region, and predicted against true volume (Bland and Altman)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from drifa.report.svg import Plot, nice_ticks

#: Fewest subjects of which limits of agreement are told.
FEWEST = 3
SIZE, MARGINS = (420, 300), (56, 12, 12, 40)


class Agreement(NamedTuple):
    """Mean of predicted minus true volume, and the limits that hold about 95 % of the differences, in ml."""

    bias: float
    low: float
    high: float


def agreement(pairs: Sequence[tuple[float, float]]) -> Agreement | None:
    """Bias and its limits, bias ± 1.96 standard deviations; None for too few subjects.

    Args:
        pairs: True and predicted volume of each subject, ml.

    References:
        Bland and Altman, Statistical methods for assessing agreement between two methods of clinical measurement, Lancet 1986.
    """
    if len(pairs) < FEWEST:
        return None
    differences = [predicted - truth for truth, predicted in pairs]
    bias, reach = statistics.fmean(differences), 1.96 * statistics.stdev(differences)
    return Agreement(bias, bias - reach, bias + reach)


def dice_by_volume(title: str, points: Sequence[tuple[float, float]]) -> Markup:
    """A dot per subject, true volume across and Dice upright.

    Args:
        title: What a reader who cannot see the figure is told first.
        points: True volume in ml and Dice, finite; at least one.
    """
    most = max(volume for volume, _ in points) or 1.0
    x = (0.0, 1.04 * most)
    told = "; ".join(f"{volume:.3g} ml: {dice:.2f}" for volume, dice in sorted(points))
    plot = Plot(f"{title}. {told}", x, (0, 1), size=SIZE, margins=MARGINS)
    plot.y_axis([0, 0.2, 0.4, 0.6, 0.8, 1.0], lambda tick: f"{tick:.1f}")
    _dots(plot, points)
    plot.x_axis(nice_ticks(*x, 5), "true volume, ml", _plain)
    return plot.render()


def bland_altman(title: str, pairs: Sequence[tuple[float, float]]) -> Markup:
    """A dot per subject, mean of both volumes across and predicted minus true upright, with bias and limits where known.

    Args:
        title: What a reader who cannot see the figure is told first.
        pairs: True and predicted volume in ml, finite; at least one.
    """
    points = [((truth + predicted) / 2, predicted - truth) for truth, predicted in pairs]
    found = agreement(pairs)
    heights = [0.0, *(found or ()), *(difference for _, difference in points)]
    pad = 0.06 * (max(heights) - min(heights)) or 0.5
    y = (min(heights) - pad, max(heights) + pad)
    most = max(mean for mean, _ in points) or 1.0
    x = (0.0, 1.04 * most)
    told = f"Bias {found.bias:.3g} ml, limits {found.low:.3g} to {found.high:.3g} ml" if found else "Too few for limits"
    plot = Plot(f"{title}. {told}", x, y, size=SIZE, margins=MARGINS)
    plot.y_axis(nice_ticks(*y, 5), _plain)
    _level(plot, 0.0, "axis")
    if found:
        for value, style in ((found.bias, "line s0"), (found.low, "mark"), (found.high, "mark")):
            _level(plot, value, style)
    _dots(plot, points)
    plot.x_axis(nice_ticks(*x, 5), "mean of true and predicted volume, ml", _plain)
    return plot.render()


def _dots(plot: Plot, points: Sequence[tuple[float, float]]) -> None:
    for point in points:
        x, y = plot.at(*point)
        plot.add('<circle cx="{x}" cy="{y}" r="3" class="dot s0 many"/>', x=x, y=y)


def _level(plot: Plot, value: float, style: str) -> None:
    y = plot.at(0.0, value)[1]
    plot.add('<path d="M{l} {y}H{r}" class="{s}"/>', l=MARGINS[0], r=SIZE[0] - MARGINS[2], y=y, s=style)


def _plain(value: float) -> str:
    return f"{value:.4g}"
