"""Undoing a reweighting of the classes."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.errors import DrifaError
from drifa.uncertainty.prior import PriorCorrection
from tests.uncertainty.classifiers import classifier

COUNTS, WEIGHTS = [700, 200, 90, 10], [0.5, 1.0, 3.0, 20.0]


def test_a_known_reweighting_is_undone() -> None:
    p = classifier(200)[1]
    reweighted = p * WEIGHTS / (p * WEIGHTS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(PriorCorrection.of_training(COUNTS, WEIGHTS)(reweighted), p, atol=1e-9)


def test_balanced_sampling_shows_every_class_as_often() -> None:
    correction = PriorCorrection.of_training(COUNTS, 1 / np.array(COUNTS))
    np.testing.assert_allclose(correction.trained, 0.25)
    np.testing.assert_allclose(correction.natural, [0.7, 0.2, 0.09, 0.01])
    np.testing.assert_allclose(correction(np.full((1, 4), 0.25)), [[0.7, 0.2, 0.09, 0.01]])


def test_equal_weights_change_nothing() -> None:
    p = classifier(20)[1]
    np.testing.assert_allclose(PriorCorrection.of_training(COUNTS, [3] * 4)(p), p, atol=1e-9)


def test_corrected_answers_are_as_frequent_as_nature_has_it() -> None:
    """Bayes' rule, with one finding x of two values: what balanced data teach is turned into what natural data would."""
    likelihood, natural = np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0.95, 0.05])  # class x finding
    learned = (likelihood / likelihood.sum(axis=0)).T
    wanted = (likelihood * natural[:, None] / (natural @ likelihood)).T
    np.testing.assert_allclose(PriorCorrection.of_training([95, 5], [1 / 95, 1 / 5])(learned), wanted)


def test_a_correction_survives_json() -> None:
    correction = PriorCorrection.of_training(COUNTS, WEIGHTS, ["a", "b", "c", "d"])
    assert PriorCorrection.from_json(correction.to_json()) == correction


@pytest.mark.parametrize(
    ("counts", "weights", "words"),
    [
        ([5, 0], [1, 1], "count 0 of class 'nv'"),
        ([5, 5], [1, float("nan")], "weight nan of class 'nv'"),
        ([5, 5, 5], [1, 1], "one per class"),
        ([5, 5], [1], "one per class"),
    ],
)
def test_what_is_no_frequency_is_refused(counts: list[float], weights: list[float], words: str) -> None:
    with pytest.raises(DrifaError, match=words):
        PriorCorrection.of_training(counts, weights, ["mel", "nv"])


@pytest.mark.parametrize("natural", [[0.5, 0.4], [1.0], [1.0, 0.0]])
def test_a_record_out_of_its_bounds_is_refused(natural: list[float]) -> None:
    with pytest.raises(DrifaError, match=r"^prior.json: "):
        PriorCorrection.from_json({"classes": ["a", "b"], "trained": [0.5, 0.5], "natural": natural}, "prior.json")
