"""Figures of a predicted number: points where they belong, whiskers inside the axes, words for who cannot see them."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drifa.report import number_figures


def circles(figure: object) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([^"]+)" cy="([^"]+)"', str(figure))]


def test_right_answers_lie_on_the_diagonal_and_others_beside_it() -> None:
    right = number_figures.truth_scatter([(10.0, 10.0, None), (40.0, 40.0, None), (90.0, 90.0, None)], "years")
    (left, base), (_, _), (end, top) = circles(right)
    x0, y0, x1, y1 = map(float, re.search(r'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)" class="mark"', str(right)).groups())  # type: ignore[union-attr]
    for x, y in circles(right):
        assert y == pytest.approx(y0 + (x - x0) / (x1 - x0) * (y1 - y0), abs=0.2)
    assert left < end
    assert top < base  # upright grows upwards, on a page that counts from the top
    high, low = circles(number_figures.truth_scatter([(10.0, 90.0, None), (90.0, 10.0, None)], ""))
    assert high[1] < low[1]


def test_a_whisker_needs_a_deviation_and_stays_inside_the_axes() -> None:
    figure = str(number_figures.truth_scatter([(0.0, 1.0, 1e9), (1.0, 0.5, None), (0.5, 0.5, math.nan)], "mm"))
    assert figure.count('class="whisker"') == 1
    ends = [float(value) for value in re.search(r'd="M[\d.]+ ([\d.]+)V([\d.]+)" class="whisker"', figure).groups()]  # type: ignore[union-attr]
    assert all(0 <= end <= 400 for end in ends)
    assert "nan" not in figure


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 2, st.none() | st.floats(0, 1e6)), min_size=1, max_size=20))
def test_any_answers_make_a_figure_with_a_dot_each(points: list[tuple[float, float, float | None]]) -> None:
    figure = number_figures.truth_scatter(points, "a <b>")
    ElementTree.fromstring(str(figure))
    assert "<b>" not in figure
    assert all(0 <= x <= 420 and 0 <= y <= 400 for x, y in circles(figure))
    assert len(circles(figure)) == len(points)


def test_a_range_that_holds_more_than_it_says_lies_above_one_that_holds_less() -> None:
    modes = {"ensemble": [{"level": 0.5, "coverage": 0.7}], "mc": [{"level": 0.5, "coverage": 0.2}]}
    figure = number_figures.range_coverage(modes)
    ElementTree.fromstring(str(figure))
    above, below = (re.findall(rf'cy="([^"]+)" r="3" class="dot {style}"', str(figure))[0] for style in ("s1", "s2"))
    assert float(above) < float(below)
    assert "50 % stated, 70 % inside" in figure
