"""Figures: round ticks inside the limits, gaps left open, and marks where the data are."""

from __future__ import annotations

import itertools
import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drifa.report import figures
from drifa.report.svg import Plot, nice_ticks


@given(low=st.floats(-1e4, 1e4), span=st.floats(1e-3, 1e4), wanted=st.integers(3, 8))
def test_ticks_are_few_even_and_inside(low: float, span: float, wanted: int) -> None:
    ticks = nice_ticks(low, low + span, wanted)
    assert 1 <= len(ticks) <= wanted + 1
    slack = 1e-6 * span
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)
    steps = {f"{after - before:.3e}"[:3] for before, after in itertools.pairwise(ticks) if abs(low) < 10 * span}
    assert len(steps) <= 1
    assert all(step[0] in "125" for step in steps)


def test_points_land_where_the_axes_say() -> None:
    plot = Plot("test", (0, 10), (0, 1), size=(120, 100), margins=(10, 10, 10, 10))
    assert plot.at(0, 0) == (10, 90)
    assert plot.at(10, 1) == (110, 10)
    logarithmic = Plot("test", (0, 1), (1e-4, 1e-2), size=(100, 100), margins=(0, 0, 0, 0), log_y=True)
    assert logarithmic.at(1, 1e-3) == pytest.approx((100, 50))


def test_a_line_is_broken_at_missing_values() -> None:
    plot = Plot("test", (0, 5), (0, 1))
    plot.line([(0, 0), (1, 1), (2, math.nan), (3, 1), (4, math.nan), (5, 1)], "s0")
    drawn = str(plot.render())
    assert drawn.count("<polyline") == 1
    assert drawn.count("<circle") == 2
    assert "nan" not in drawn


def test_figures_are_well_formed_and_escape_what_they_are_told() -> None:
    rows = [
        {"low": 0.0, "high": 0.5, "count": 3, "confidence": 0.4, "accuracy": 1 / 3},
        {"low": 0.5, "high": 1.0, "count": 0, "confidence": None, "accuracy": None},
    ]
    history = [{"epoch": 0.0, "lr": 1e-3, "train_loss": 1.0, "val_loss": 1.0, "seconds": 1.0}]
    curve = [{"coverage": 0.5, "accuracy": 1.0}, {"coverage": 1.0, "accuracy": 1.0}]
    drawn = [
        figures.reliability_diagram(rows),
        figures.coverage_curves({"mc": curve, 'odd "mode" <b>': curve}),
        figures.loss_curves(0, history, 0),
        figures.rate_curve(0, history),
        figures.interval_bar({"value": 0.5, "low": 0.4, "high": 0.6}),
        Plot('a "quoted" <b>', (0, 1), (0, 1)).render(),
    ]
    for figure in drawn:
        ElementTree.fromstring(f"<div>{figure}</div>")
        assert "<b>" not in figure
    assert len(re.findall("<rect", str(drawn[0]))) == 2


def test_no_bar_without_an_interval_on_the_scale() -> None:
    assert figures.interval_bar({"value": 0.5, "low": None, "high": None}) is None
    assert figures.interval_bar({"value": 1.4, "low": 1.2, "high": 1.6}) is None
    assert figures.rate_curve(0, [{"epoch": 0.0, "lr": 0.0}]) is None
