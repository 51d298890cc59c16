"""Figures of a predicted number: prediction against truth, and stated ranges against what they hold."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from drifa.report.figures import mode_style
from drifa.report.svg import Plot, nice_ticks
from drifa.report.words import share
from drifa.uncertainty.modes import MODE_NAMES, mode_order

#: Truth, predicted value, and its standard deviation or None.
Answered = tuple[float, float, float | None]


def truth_scatter(points: Sequence[Answered], unit: str) -> Markup:
    """A dot per subject, truth across and prediction upright, its standard deviation as a whisker; dashes where both agree.

    Args:
        points: At least one; the truth and the value are finite.
        unit: Of both axes; empty where there is none.
    """
    ends = [number for truth, value, _ in points for number in (truth, value)]
    low, high = min(ends), max(ends)
    pad = 0.04 * (high - low) or 0.5
    limits = (low - pad, high + pad)
    off = statistics.fmean(abs(value - truth) for truth, value, _ in points)
    told = f"{len(points)} answers, from {_plain(low)} to {_plain(high)}, off by {_plain(off)} on average"
    told += f", in {unit}" if unit else ""
    plot = Plot(f"Predicted value by true value. {told}", limits, limits, size=(420, 400), margins=(52, 12, 12, 40))
    ticks = nice_ticks(*limits, 5)
    plot.y_axis(ticks, _plain)
    _identity(plot, limits)
    for truth, value, std in points:
        if std is not None and math.isfinite(std):
            # A whisker ends where the axes do: a huge one would run across the page.
            (x, top), (_, base) = plot.at(truth, min(value + std, limits[1])), plot.at(truth, max(value - std, limits[0]))
            plot.add('<path d="M{x} {t}V{b}" class="whisker"/>', x=x, t=top, b=base)
    for truth, value, _ in points:
        x, y = plot.at(truth, value)
        plot.add('<circle cx="{x}" cy="{y}" r="2.5" class="dot s0 many"/>', x=x, y=y)
    plot.x_axis(ticks, f"truth, {unit}" if unit else "truth", _plain)
    return plot.render()


def range_coverage(levels: Mapping[str, Sequence[Mapping[str, float]]]) -> Markup:
    """Share of truths inside the stated range by the share that it should hold, one line per mode; the dashes are honest.

    Args:
        levels: Mode -> rows of ``level`` and ``coverage``.
    """
    told = "; ".join(
        f"{MODE_NAMES.get(mode, mode)}: "
        + ", ".join(f"{share(row['level'], 0)} % stated, {share(row['coverage'], 0)} % inside" for row in rows)
        for mode, rows in levels.items()
    )
    plot = Plot(f"Share of truths inside the stated range. {told}", (0, 1), (0, 1), size=(420, 400), margins=(52, 12, 12, 40))
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    plot.y_axis(ticks, _percent)
    _identity(plot, (0, 1))
    # The most thorough mode is drawn last, on top.
    for mode in reversed(mode_order(levels)):
        plot.line([(row["level"], row["coverage"]) for row in levels[mode]], mode_style(mode))
        for row in levels[mode]:
            x, y = plot.at(row["level"], row["coverage"])
            plot.add('<circle cx="{x}" cy="{y}" r="3" class="dot {s}"/>', x=x, y=y, s=mode_style(mode))
    plot.x_axis(ticks, "share that the range should hold", _percent)
    return plot.render()


def _identity(plot: Plot, limits: tuple[float, float]) -> None:
    (left, base), (right, top) = plot.at(limits[0], limits[0]), plot.at(limits[1], limits[1])
    plot.add('<path d="M{l} {b}L{r} {t}" class="mark"/>', l=left, b=base, r=right, t=top)


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _plain(value: float) -> str:
    return f"{value:.4g}"
