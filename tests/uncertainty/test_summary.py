"""Entropy, mutual information and the average of draws (eq. 10)."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.uncertainty.summary import entropy, summarise


def draws(t: int = 6, n: int = 9, c: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(c), size=(t, n))


def test_the_prediction_is_the_argmax_of_the_mean() -> None:
    p = draws()
    summary = summarise(p)
    np.testing.assert_allclose(summary.probabilities, p.mean(0))
    assert (summary.predicted == p.mean(0).argmax(1)).all()


def test_equal_draws_have_no_mutual_information_and_no_spread() -> None:
    summary = summarise(np.repeat(draws(1), 5, axis=0))
    assert summary.mutual_information == pytest.approx(0, abs=1e-12)
    assert summary.std == pytest.approx(0, abs=1e-12)


def test_sure_draws_that_disagree_are_all_mutual_information() -> None:
    p = np.eye(3)[:, None, :]  # three draws, one image, each sure of another class
    summary = summarise(p)
    assert summary.predictive_entropy == pytest.approx(np.log(3))
    assert summary.mutual_information == pytest.approx(np.log(3))


def test_mutual_information_is_between_zero_and_the_entropy() -> None:
    summary = summarise(draws(20, 200, 5))
    assert (summary.mutual_information >= 0).all()
    assert (summary.mutual_information <= summary.predictive_entropy + 1e-12).all()
    assert (summary.predictive_entropy <= np.log(5) + 1e-12).all()


def test_entropy_of_a_certain_answer_is_zero() -> None:
    assert entropy(np.array([[1.0, 0.0]])) == pytest.approx(0)


def test_one_draw_has_no_spread_to_report() -> None:
    summary = summarise(draws(1))
    assert summary.mutual_information is None
    assert summary.std is None
