"""Figures of a task of classes: curves of each class against the others, what is found of each, doubt of right and wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from drifa.report.svg import Plot, Point
from drifa.report.words import share

TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
#: Colours of classes, which repeat beyond; dashes tell the rounds apart.
COLOURS = 8
#: Points of a curve that are drawn.
MOST_POINTS = 120


class Curve(NamedTuple):
    """A class's line.

    Attributes:
        points: Of the line.
        band: Place across, lower and upper limit; empty where nobody knows them.
        told: Its figures in words.
    """

    points: Sequence[Point]
    band: Sequence[tuple[float, float, float]]
    told: str


def class_style(number: int) -> str:
    """Style class of a class's line, by its place."""
    return f"c{number % COLOURS}{' again' if number >= COLOURS else ''}"


def roc_points(truth: np.ndarray, score: np.ndarray) -> list[Point]:
    """Share of the others falsely called by share found, as the bar on the score falls; bool ``[N]``, ``[N]``."""
    hits, calls = _falling(truth, score)
    positive, negative = max(int(truth.sum()), 1), max(int((~truth).sum()), 1)
    return _thinned([(0.0, 0.0), *zip(((calls - hits) / negative).tolist(), (hits / positive).tolist(), strict=True)])


def precision_points(truth: np.ndarray, score: np.ndarray) -> list[Point]:
    """Share right among those called by share found, as the bar on the score falls; bool ``[N]``, ``[N]``."""
    hits, calls = _falling(truth, score)
    positive = max(int(truth.sum()), 1)
    return _thinned(list(zip((hits / positive).tolist(), (hits / calls).tolist(), strict=True)))


def curves(title: str, lines: Mapping[str, Curve], across: str, diagonal: bool, bands: Collection[str] = ()) -> Markup:
    """One line per class on the unit square.

    Args:
        title: What a reader who cannot see the figure is told first.
        lines: Class -> its curve.
        across: Label of the axis across.
        diagonal: Whether chance is the diagonal, which is drawn in dashes.
        bands: Classes whose band is drawn.
    """
    told = "; ".join(f"{name}: {curve.told}" for name, curve in lines.items())
    plot = Plot(f"{title}. {told}", (0, 1), (0, 1), size=(420, 380), margins=(46, 12, 12, 40))
    plot.y_axis(TICKS, _percent)
    if diagonal:
        (left, base), (right, top) = plot.at(0, 0), plot.at(1, 1)
        plot.add('<path d="M{l} {b}L{r} {t}" class="mark"/>', l=left, b=base, r=right, t=top)
    for number, (name, curve) in enumerate(lines.items()):
        if name in bands:
            plot.band(curve.band, class_style(number))
    for number, curve in enumerate(lines.values()):
        plot.line(curve.points, class_style(number))
    plot.x_axis(TICKS, across, _percent)
    return plot.render()


def banded(curve: Curve, **names: str) -> list[dict[str, float | None]]:
    """The points of a curve with the limits of its band there.

    Args:
        curve: With a band that is in order from left to right.
        names: ``across`` and ``up``: what the two axes are called.

    Returns:
        A row per point: across, up, ``low`` and ``high``; None where there is no band.
    """
    places = [place for place, *_ in curve.band]
    limits = [[row[side] for row in curve.band] for side in (1, 2)]

    def limit(place: float, side: int) -> float | None:
        return float(np.interp(place, places, limits[side])) if places and place >= places[0] else None

    return [{names["across"]: x, names["up"]: y, "low": limit(x, 0), "high": limit(x, 1)} for x, y in curve.points]


def found_bars(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """What is found of each class, with its interval; a class of few groups is drawn hollow.

    Args:
        rows: ``class``, ``value``, ``low``, ``high`` (None where not known) and ``few``.
    """
    told = "; ".join(f"{row['class']}: {share(row['value'])} % ({share(row['low'])} to {share(row['high'])})" for row in rows)
    room = min(190, 20 + 8 * max((len(row["class"]) for row in rows), default=0))
    height = 26 * len(rows) + 46
    plot = Plot(f"Share found of each class. {told}", (0, 1), (0, len(rows)), size=(420, height), margins=(room, 6, 16, 40))
    for place, row in enumerate(reversed(rows)):
        (left, middle), (right, _) = plot.at(0, place + 0.5), plot.at(1, place + 0.5)
        plot.add('<path d="M{l} {y}H{r}" class="track"/>', l=left, r=right, y=middle)
        name = row["class"] if len(row["class"]) <= 24 else f"{row['class'][:23]}…"
        plot.text(left - 10, middle + 4, name, anchor="end")
        if row["low"] is not None and row["high"] is not None:
            ends = [plot.at(row[key], 0)[0] for key in ("low", "high")]
            plot.add('<path d="M{a} {y}H{b}" class="span"/>', a=ends[0], b=ends[1], y=middle)
        style = "dot hollow" if row["few"] else "dot s0"
        plot.add('<circle cx="{x}" cy="{y}" r="4" class="{s}"/>', x=plot.at(row["value"], 0)[0], y=middle, s=style)
    plot.x_axis(TICKS, "share of the class that is found", _percent)
    return plot.render()


def doubt_bars(right: Sequence[float], wrong: Sequence[float], bins: int = 10) -> tuple[Markup, list[dict[str, float]]]:
    """Shares of the right and of the wrong answers by their doubt, 1 - the probability of the answer.

    Args:
        right: Doubt of the right answers.
        wrong: Of the wrong ones.
        bins: Number of equal-width bins.

    Returns:
        The figure, and its rows: ``low``, ``high``, ``right``, ``wrong`` (counts).
    """
    edges = np.linspace(0, 1, bins + 1)
    counts = [np.histogram(values, edges)[0] for values in (right, wrong)]
    shares = [count / max(count.sum(), 1) for count in counts]
    top = max(0.1, float(max(part.max() for part in shares)))
    medians = [share(float(np.median(values)) if len(values) else None, 0) for values in (right, wrong)]
    told = f"Doubt of right and wrong answers. Median of right {medians[0]} %, of wrong {medians[1]} %"
    plot = Plot(told, (0, 1), (0, top), size=(420, 260))
    plot.y_axis([tick for tick in TICKS if tick <= top], _percent)
    for part, style, shift in ((shares[0], "fill rightly", 0.0), (shares[1], "fill wrongly", 0.5)):
        for low, value in zip(edges, part, strict=False):
            begin = low + shift / bins
            plot.bar(begin, begin + 0.5 / bins, float(value), style)
    plot.x_axis(TICKS, "doubt: 1 − the probability of the answer given", _percent)
    rows = [
        {"low": float(low), "high": float(high), "right": int(r), "wrong": int(w)}
        for low, high, r, w in zip(edges, edges[1:], *counts, strict=False)
    ]
    return plot.render(), rows


def _falling(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many are called, and how many of them rightly, at each score from the highest; equal scores are called together."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    return hits[last], last + 1


def _thinned(points: list[Point]) -> list[Point]:
    if len(points) <= MOST_POINTS:
        return points
    kept = np.unique(np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int))
    return [points[index] for index in kept]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
