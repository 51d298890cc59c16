"""Figures of a comparison: differences with their intervals, accuracy against cost, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from drifa.experiments.comparison import Arm, Contrast, Result
from drifa.experiments.verdict import written
from drifa.metrics.names import Style
from drifa.report.svg import Plot, Point, nice_ticks

#: Line styles of the page, taken in turn.
STYLES = ("s0", "s1", "s2", "s3")
#: Pixels of one row of the forest plot.
ROW = 26
#: Pixels from a dot to its label, of a letter of it and of its line.
LABEL, LETTER, LINE = 9, 7, 13
#: Letters of a label of the forest plot, and the fewest of an arm's name that are left of it.
LONGEST, SHORTEST = 52, 10


def contrast_label(contrast: Contrast) -> str:
    """What a row of the forest plot is of; long names of arms are shortened, so that metric and task can be read."""
    behind = f", {contrast.metric}, {' + '.join(contrast.tasks)}"
    room = LONGEST - len(f" - {behind}")
    first = shortened(contrast.a, max(SHORTEST, room // 2))
    return shortened(f"{first} - {shortened(contrast.b, max(SHORTEST, room - len(first)))}{behind}", LONGEST)


def shortened(text: str, most: int) -> str:
    """A text without its middle where it is longer: names of one experiment often begin alike, or end alike."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most - most // 2 - 1) :]}"


def forest(contrasts: Sequence[Contrast], labels: Sequence[str], style: Style, unit: str) -> Markup | None:
    """One row per difference: its value, its interval, and the line of no difference; None where none has an interval.

    Args:
        contrasts: Differences of metrics that are written alike.
        labels: Of each in full, for those who cannot see the figure.
        style: How they are written.
        unit: What the axis is in.
    """
    scale = 100.0 if style == "share" else 1.0
    rows = []
    for contrast, label in zip(contrasts, labels, strict=True):
        value, low, high = (contrast.difference[key] for key in ("value", "low", "high"))
        if value is not None and low is not None and high is not None:
            rows.append((label, value * scale, low * scale, high * scale, contrast))
    if not rows:
        return None
    ends = [0.0, *(end for _, _, low, high, _ in rows for end in (low, high))]
    pad = 0.05 * (max(ends) - min(ends)) or 1.0
    x = (min(ends) - pad, max(ends) + pad)
    told = "; ".join(f"{label}: {value:+.3g}, from {low:+.3g} to {high:+.3g}" for label, value, low, high, _ in rows)
    size, margins = (860, ROW * len(rows) + 52), (330, 6, 16, 40)
    plot = Plot(f"Differences with 95 % intervals. {told}", x, (0, len(rows)), size=size, margins=margins)
    zero, base = plot.at(0, 0)
    plot.add('<path d="M{x} 6V{b}" class="mark"/>', x=zero, b=base)
    for place, (_, value, low, high, contrast) in enumerate(reversed(rows)):
        (left, middle), (right, _) = plot.at(low, place + 0.5), plot.at(high, place + 0.5)
        plot.add('<path d="M{l} {y}H{r}" class="span"/>', l=left, r=right, y=middle)
        plot.add(
            '<circle cx="{x}" cy="{y}" r="{s}" class="dot s0"/>',
            x=plot.at(value, 0)[0],
            y=middle,
            s=6 if contrast.primary else 4,
        )
        plot.text(margins[0] - 10, middle + 4, contrast_label(contrast), anchor="end")
    plot.x_axis(nice_ticks(*x, 6), unit.strip(), lambda tick: f"{tick:+.3g}" if tick else "0")
    return plot.render()


def against_cost(results: Sequence[Result], arms: Sequence[Arm], style: Style, name: str) -> Markup | None:
    """A metric by the seconds of training, one dot with its interval per arm; None where no arm has both."""
    seconds = {arm.name: arm.seconds for arm in arms if arm.seconds}
    scale = 100.0 if style == "share" else 1.0
    points = []
    for result in results:
        if result.arm in seconds and result.mean is not None:
            low, high = (result.mean if end is None else end for end in (result.low, result.high))
            points.append((result.arm, seconds[result.arm] or 0.0, result.mean * scale, low * scale, high * scale))
    if not points:
        return None
    y = _limits([end for *_, low, high in points for end in (low, high)])
    x = (0.0, 1.25 * max(cost for _, cost, *_ in points))
    told = "; ".join(f"{arm}: {cost:.0f} s, {value:.3g}" for arm, cost, value, *_ in points)
    plot = Plot(f"{name} by seconds of training. {told}", x, y, size=(420, 260), margins=(52, 12, 12, 40))
    plot.y_axis(nice_ticks(*y, 5), lambda tick: f"{tick:.3g}")
    names = [shortened(arm, 16) for arm, *_ in points]
    heights = free_heights([plot.at(cost, value) for _, cost, value, *_ in points], names)
    for number, (_, cost, value, low, high) in enumerate(points):
        (column, middle), (_, top), (_, bottom) = plot.at(cost, value), plot.at(cost, high), plot.at(cost, low)
        plot.add('<path d="M{x} {t}V{b}" class="axis"/>', x=column, t=top, b=bottom)
        plot.add('<circle cx="{x}" cy="{y}" r="4.5" class="dot {s}"/>', x=column, y=middle, s=STYLES[number % len(STYLES)])
        plot.text(column + LABEL, heights[number], names[number], anchor="start")
    plot.x_axis(nice_ticks(*x, 5), "seconds of training, one network", lambda tick: f"{tick:.3g}")
    return plot.render()


def free_heights(dots: Sequence[Point], labels: Sequence[str]) -> list[float]:
    """Heights at which the labels to the right of some dots cover no other label, as near to their dots as can be.

    Args:
        dots: Of each, in pixels.
        labels: Of each.

    Returns:
        The base line of each label, in pixels.
    """
    found: list[tuple[float, float, float]] = []  # left end, right end and base line of those that have their place
    for (x, y), label in zip(dots, labels, strict=True):
        left, right = x + LABEL, x + LABEL + LETTER * len(label)
        # At the dot, below, above, and so on outwards. Another label takes three of these at most, so that one stays free.
        steps = [y - 6 + LINE * sign * step for step in range(2 * len(labels) + 1) for sign in (1, -1)]
        free = (
            base
            for base in steps
            if all(right < other[0] or left > other[1] or abs(base - other[2]) >= LINE for other in found)
        )
        found.append((left, right, next(free)))
    return [base for *_, base in found]


def learning(curves: Mapping[str, Sequence[Mapping[str, float | None]]], arm: str, limits: tuple[float, float]) -> Markup:
    """Training and validation losses of all networks of an arm.

    Args:
        curves: Job -> rows of its history.
        arm: Its name.
        limits: Of the losses; the same for all arms, so that figures can be laid side by side.
    """
    last = max((row["epoch"] or 0.0 for rows in curves.values() for row in rows), default=0.0)
    x = (0.0, max(last, 1.0))
    plot = Plot(f"Losses of {len(curves)} networks of {arm} by epoch", x, limits, size=(420, 220), margins=(52, 12, 12, 40))
    plot.y_axis(nice_ticks(*limits, 4), lambda tick: f"{tick:.3g}")
    for rows in curves.values():
        for key, style in (("train_loss", "s0"), ("val_loss", "s1")):
            plot.line([(_number(row["epoch"]), _number(row[key])) for row in rows], style)
    plot.x_axis([tick for tick in nice_ticks(*x, 6) if tick == round(tick)], "epoch", lambda tick: f"{tick:.0f}")
    return plot.render()


def loss_limits(curves: Mapping[str, Sequence[Mapping[str, float | None]]]) -> tuple[float, float]:
    """From the lowest to the highest loss of all networks."""
    rows = [row for history in curves.values() for row in history]
    return _limits([_number(row[key]) for row in rows for key in ("train_loss", "val_loss")])


def _limits(values: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    pad = 0.06 * (max(finite) - min(finite)) or 0.5
    return min(finite) - pad, max(finite) + pad


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def told(result: Result, style: Style) -> dict[str, str]:
    """A result as cells of a table: its mean, its interval."""
    mean, low, high = (written(value, style, sign=False) for value in (result.mean, result.low, result.high))
    return {"text": mean, "range": "" if "–" in (low, high) else f"{low}\u2009–\u2009{high}"}
