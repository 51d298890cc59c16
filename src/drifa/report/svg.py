"""A small plot as inline SVG: axes, lines, bars and text, coloured by the page's own style sheet.

Written by hand rather than by matplotlib because the page's colours (dark and light), its font and its screen reader text
then reach into the figure, and a figure weighs 3 kB instead of 60.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

Point = tuple[float, float]


class Plot:
    """A rectangle of data with axes.

    Args:
        description: What a reader who cannot see the figure is told.
        x: Data limits, low to high.
        y: Likewise.
        size: Width and height of the figure in pixels at full size; it shrinks with the page.
        margins: Left, top, right, bottom, in the same pixels.
        log_y: Draw y on a logarithmic axis.
    """

    def __init__(
        self,
        description: str,
        x: Point,
        y: Point,
        size: tuple[int, int] = (420, 260),
        margins: tuple[int, int, int, int] = (46, 12, 12, 40),
        log_y: bool = False,
    ) -> None:
        self.description, self.size, self.margins = description, size, margins
        self._x, self._log_y = x, log_y
        self._y = (math.log10(y[0]), math.log10(y[1])) if log_y else y
        self._parts: list[Markup] = []

    def at(self, x: float, y: float) -> Point:
        """Pixel position of a data point."""
        left, top, right, bottom = self.margins
        width, height = self.size
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        value = math.log10(y) if self._log_y else y
        up = (value - self._y[0]) / (self._y[1] - self._y[0])
        return left + across * (width - left - right), height - bottom - up * (height - top - bottom)

    def add(self, markup: str, **values: object) -> None:
        """Adds an SVG element; ``values`` are escaped, numbers rounded to a tenth of a pixel."""
        shown = {key: round(value, 1) if isinstance(value, float) else value for key, value in values.items()}
        self._parts.append(Markup(markup).format(**shown))

    def text(self, x: float, y: float, words: str, anchor: str = "middle", style: str = "tick") -> None:
        """Words at a pixel position."""
        self.add('<text x="{x}" y="{y}" text-anchor="{a}" class="{s}">{w}</text>', x=x, y=y, a=anchor, s=style, w=words)

    def x_axis(self, ticks: Sequence[float], label: str, write: Callable[[float], str]) -> None:
        """Base line, tick words and label along the bottom."""
        height, bottom = self.size[1], self.margins[3]
        base = height - bottom
        left, right = self.margins[0], self.size[0] - self.margins[2]
        self.add('<path d="M{l} {b}H{r}" class="axis"/>', l=left, r=right, b=base)
        for tick in ticks:
            x = self.at(tick, 1 if self._log_y else 0)[0]
            self.add('<path d="M{x} {b}v4" class="axis"/>', x=x, b=base)
            self.text(x, base + 17, write(tick))
        self.text((left + right) / 2, height - 4, label, style="label")

    def y_axis(self, ticks: Sequence[float], write: Callable[[float], str]) -> None:
        """Grid lines and tick words along the left; the caption says what they measure."""
        left, right = self.margins[0], self.size[0] - self.margins[2]
        for tick in ticks:
            y = self.at(self._x[0], tick)[1]
            self.add('<path d="M{l} {y}H{r}" class="grid"/>', l=left, r=right, y=y)
            self.text(left - 7, y + 4, write(tick), anchor="end")

    def line(self, points: Sequence[Point], style: str) -> None:
        """A line through the points; NaN breaks it, and a point that stands alone is a dot."""
        run: list[Point] = []
        for point in [*points, (math.nan, math.nan)]:
            if all(math.isfinite(value) for value in point):
                run.append(self.at(*point))
                continue
            if len(run) == 1:
                self.add('<circle cx="{x}" cy="{y}" r="3" class="dot {s}"/>', x=run[0][0], y=run[0][1], s=style)
            elif run:
                path = " ".join(f"{x:.1f} {y:.1f}" for x, y in run)
                self.add('<polyline points="{p}" class="line {s}"/>', p=path, s=style)
            run = []

    def band(self, limits: Sequence[tuple[float, float, float]], style: str) -> None:
        """The area between a lower and an upper limit: place across, low, high; nothing where there are none."""
        if limits:
            edge = [*((x, low) for x, low, _ in limits), *((x, high) for x, _, high in reversed(limits))]
            corners = " ".join(f"{x:.1f} {y:.1f}" for x, y in (self.at(*point) for point in edge))
            self.add('<polygon points="{p}" class="band {s}"/>', p=corners, s=style)

    def bar(self, low: float, high: float, value: float, style: str) -> None:
        """A bar from the base line up to ``value``, between two x."""
        (left, top), (right, base) = self.at(low, value), self.at(high, self._y[0])
        self.add(
            '<rect x="{x}" y="{y}" width="{w}" height="{h}" class="{s}"/>',
            x=left + 1,
            y=top,
            w=right - left - 2,
            h=max(base - top, 0.0),
            s=style,
        )

    def render(self) -> Markup:
        """The figure as an ``<svg>`` element."""
        width, height = self.size
        head = Markup('<svg class="figure" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{d}">').format(
            w=width, h=height, d=escape(self.description)
        )
        return head + Markup("").join(self._parts) + Markup("</svg>")


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers between two limits, about ``wanted`` of them, in steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]
