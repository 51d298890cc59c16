"""The figure of a decision curve: net benefit of the model, of acting on everybody and on nobody."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from drifa.metrics.decisions import DecisionPoint
from drifa.report.class_figures import TICKS
from drifa.report.svg import Plot, nice_ticks

#: How far below 0 the axis goes, of what it goes above: acting on everybody falls without end.
BELOW = 0.3
#: Thresholds whose values are told to a reader who cannot see the figure.
TOLD = (0.1, 0.2, 0.5)


def decision_figure(title: str, points: Sequence[DecisionPoint], size: tuple[int, int] = (420, 300)) -> Markup:
    """Net benefit by threshold probability, the model's with a band of its interval where that is known.

    Args:
        title: What a reader who cannot see the figure is told first.
        points: One per threshold, in order; at least one.
        size: Width and height in pixels.
    """
    tops = [value for point in points for value in (point["model"], point["high"], point["everybody"]) if value is not None]
    top = max([*tops, 0.01])
    lows = [value for point in points for value in (point["model"], point["low"]) if value is not None]
    floor = max(min([*lows, -0.1 * top]), -BELOW * top)
    # A model that acts on everybody equals that line but for rounding.
    better = [point["threshold"] for point in points if point["model"] > max(point["everybody"], 0) + 1e-9]
    told = f"above both from {better[0]:.0%} to {better[-1]:.0%} at the widest" if better else "nowhere above both"
    some = "; ".join(
        f"at {point['threshold']:.0%}: {point['model']:.3f}, {point['everybody']:.3f} of acting on everybody"
        for point in points
        if point["threshold"] in TOLD
    )
    plot = Plot(
        f"{title}. The model is {told}.{f' {some}' if some else ''}",
        (0, 1),
        (floor, 1.05 * top - 0.05 * floor),
        size=size,
        margins=(52, 12, 12, 40),
    )
    plot.y_axis(nice_ticks(floor, top, 5), lambda value: f"{value:.3g}")
    band = [
        (point["threshold"], max(point["low"], floor), max(point["high"], floor))
        for point in points
        if point["low"] is not None and point["high"] is not None
    ]
    plot.band(band, "s0")
    everybody = [(p["threshold"], p["everybody"] if p["everybody"] >= floor else math.nan) for p in points]
    plot.line(everybody, "s1")
    plot.line([(0.0, 0.0), (1.0, 0.0)], "s2")
    plot.line([(p["threshold"], p["model"] if p["model"] >= floor else math.nan) for p in points], "s0")
    plot.x_axis(TICKS, "threshold probability", lambda tick: f"{100 * tick:.0f} %")
    return plot.render()
