"""The plot: round ticks inside the limits, points where the axes say, gaps left open."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
