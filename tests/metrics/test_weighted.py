"""Weights repeat rows, ties share evenly, and what is undefined is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drifa.metrics.weighted import Ranking, mean_defined, ratio, row_weights


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_mean_of_the_lowest_is_the_mean_over_all_orders_of_the_ties(seed: int) -> None:
    random = np.random.default_rng(seed)
    score, values = random.integers(0, 3, 12).astype(np.float64), random.normal(size=12)
    found = Ranking(score).mean_of_lowest(np.ones((1, 12)), values, np.array([0.5, 1.0]))[0]
    # A tie broken at random gives each of its values the same chance: its mean stands for it.
    expected = np.array([values[score == one].mean() for one in np.sort(score)])
    assert found == pytest.approx([expected[:6].mean(), values.mean()])


def test_ranking_follows_the_weights() -> None:
    ranking = Ranking(np.array([2.0, 1.0, 2.0, 3.0]))
    weights = np.array([[1.0, 2.0, 0.0, 1.0]])
    assert ranking.cumulative(weights).tolist() == [[2, 3, 4]]
    assert ranking.auc(weights, np.array([False, False, False, True])).tolist() == [1]
    assert np.isnan(ranking.auc(weights, np.zeros(4, dtype=bool))).all()
    assert ranking.mean_of_lowest(weights, np.array([5.0, 1.0, 9.0, 9.0]), np.array([0.75])).tolist() == [[(1 + 1 + 5) / 3]]


def test_what_is_undefined_is_left_out() -> None:
    table = np.array([[1.0, np.nan, 3.0], [np.nan] * 3])
    assert mean_defined(table, axis=1)[0] == 2
    assert np.isnan(mean_defined(table, axis=1)[1])
    assert ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0]))[0] == 0.5
    assert np.isnan(ratio(np.array([1.0]), np.array([0.0]))).all()


def test_weights_are_one_whole_number_per_row() -> None:
    assert row_weights(None, 3).tolist() == [1, 1, 1]
    assert row_weights([0, 2, 1], 3).tolist() == [0, 2, 1]
    for wrong in ([1, 1], [0.5, 1, 1], [0, 0, 0], [-1, 1, 1], [np.nan, 1, 1], [np.inf, 1, 1]):
        with pytest.raises(ValueError, match="one whole number, 0 or more, per row"):
            row_weights(wrong, 3)
