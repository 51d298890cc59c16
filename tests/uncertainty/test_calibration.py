"""Temperature, vector scaling and isotonic curves, on classifiers whose true probabilities are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drifa.errors import DrifaError
from drifa.metrics.classification import classification_metrics
from drifa.uncertainty.calibration import CALIBRATIONS, COLDEST, HOTTEST, Temperature, fit_calibration, read_calibration
from tests.uncertainty.classifiers import classifier, softmax

METHODS = list(CALIBRATIONS)


def nll(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return classification_metrics(labels, probabilities)["nll"]


@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_planted_is_found(planted: float) -> None:
    labels, p = classifier(20_000, temperature=planted)
    assert Temperature.fit(labels, p).temperature == pytest.approx(planted, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_calibration_mends_a_classifier_that_is_too_sure_on_new_images(method: str) -> None:
    calibrated = fit_calibration(*classifier(5000, temperature=3), method)
    labels, p = classifier(5000, temperature=3, seed=1)
    before, after = classification_metrics(labels, p), classification_metrics(labels, calibrated(p))
    assert after["ece"] < before["ece"] / 3
    assert after["nll"] < before["nll"]


@pytest.mark.parametrize("method", ["temperature", "vector"])
@pytest.mark.parametrize("seed", range(5))
def test_the_likelihood_on_the_calibration_set_never_falls(method: str, seed: int) -> None:
    labels, p = classifier(300, classes=3, temperature=0.2 + seed, seed=seed)
    p[:5] = [1, 0, 0]  # certain, and not always right
    assert nll(labels, fit_calibration(labels, p, method)(p)) <= nll(labels, p) + 1e-9


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda row: sum(row) > 1e-6), min_size=1, max_size=5),
    st.floats(COLDEST, HOTTEST),
)
def test_a_temperature_never_changes_the_answer(rows: list[list[float]], temperature: float) -> None:
    p = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    q = Temperature(classes=("a", "b", "c"), temperature=temperature)(p)
    np.testing.assert_array_equal(q.argmax(axis=1), p.argmax(axis=1))
    np.testing.assert_allclose(q.sum(axis=1), 1)


def test_a_temperature_does_not_change_the_answer_between_neighbouring_numbers() -> None:
    p = np.array([[0.5 - 2**-54, 0.5]])
    assert p.argmax() == Temperature(classes=("a", "b"), temperature=HOTTEST)(p).argmax() == 1


def test_a_temperature_of_one_changes_nothing() -> None:
    p = classifier(50)[1]
    np.testing.assert_allclose(Temperature(classes=tuple("abcd"), temperature=1)(p), p, atol=1e-10)


def test_a_classifier_without_an_error_stays_as_it_is() -> None:
    p = classifier(100)[1]
    assert Temperature.fit(p.argmax(axis=1), p).temperature == 1


def test_a_classifier_that_is_worse_than_chance_becomes_unsure() -> None:
    p = classifier(100)[1]
    calibrated = Temperature.fit(p.argmin(axis=1), p)
    assert calibrated.temperature == HOTTEST
    assert calibrated(p).max() < 0.3


def test_vector_scaling_mends_single_classes() -> None:
    labels, p = classifier(10_000)
    crooked = softmax(np.log(p) + np.array([1.0, 0, 0, -1]))
    straight = fit_calibration(labels, crooked, "vector")(crooked)
    assert nll(labels, straight) < nll(labels, fit_calibration(labels, crooked)(crooked)) - 0.01
    np.testing.assert_allclose(straight, p, atol=0.05)


def test_isotonic_curves_rise_and_promise_nothing_for_certain() -> None:
    calibrated = fit_calibration(*classifier(2000, temperature=3), "isotonic")
    steps = np.linspace(0, 1, 50)
    q = calibrated(np.stack([steps, *[(1 - steps) / 3] * 3], axis=1))
    assert ((q > 0) & (q < 1)).all()
    assert (np.diff(q[:, 0]) >= -1e-12).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_survives_json(method: str) -> None:
    calibrated = fit_calibration(*classifier(2000), method, classes=["mel", "nv", "bcc", "df"])
    again = read_calibration(json.loads(json.dumps(calibrated.to_json(), allow_nan=False)))
    assert again == calibrated
    p = classifier(20, seed=2)[1]
    np.testing.assert_array_equal(again(p), calibrated(p))


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_images_does_not_matter(method: str) -> None:
    labels, p = classifier(1500)
    turned = fit_calibration(labels[::-1], p[::-1], method)
    np.testing.assert_allclose(turned(p), fit_calibration(labels, p, method)(p), atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_too_few_cases_are_refused_with_the_least_number(method: str) -> None:
    least = CALIBRATIONS[method].least
    labels, p = classifier(least.cases, classes=2)
    fit_calibration(labels, p, method)
    with pytest.raises(DrifaError, match=f"{least.cases - 1} validation cases .* at least {least.cases}"):
        fit_calibration(labels[1:], p[1:], method)
    with pytest.raises(DrifaError, match="1 validation cases"):
        fit_calibration(labels, p, method, groups=["one patient"] * len(labels))


@pytest.mark.parametrize("method", METHODS)
def test_a_class_with_too_few_cases_is_refused_by_name(method: str) -> None:
    labels, p = classifier(2000, classes=3)
    rare = np.flatnonzero(labels == 2)[: CALIBRATIONS[method].least.of_each_class - 1]
    kept = np.union1d(np.flatnonzero(labels != 2), rare)
    with pytest.raises(DrifaError, match=f"class 'df' has {len(rare)} validation cases"):
        fit_calibration(labels[kept], p[kept], method, classes=["mel", "nv", "df"])


def test_probabilities_that_are_not_known_are_refused() -> None:
    labels, p = classifier(100)
    p[3, 1] = np.nan
    with pytest.raises(DrifaError, match="nan in row 3"):
        fit_calibration(labels, p)


def test_other_classes_are_refused() -> None:
    with pytest.raises(DrifaError, match="4 classes do not fit 2"):
        Temperature(classes=("a", "b"), temperature=2)(classifier(5)[1])


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(DrifaError, match="did you mean 'temperature'"):
        fit_calibration(*classifier(100), "temperatur")
    with pytest.raises(DrifaError, match=r"run/calibration.json: method 'platt' is not known"):
        read_calibration({"method": "platt"}, "run/calibration.json")
    with pytest.raises(DrifaError, match=r"method \[\] is not known"):
        read_calibration({"method": []})


@pytest.mark.parametrize(
    "value",
    [
        {"method": "temperature", "classes": ["a", "b"], "temperature": 0},
        {"method": "vector", "classes": ["a", "b"], "scale": [1.0], "shift": [0.0, 0.0]},
        {"method": "vector", "classes": ["a", "b"], "scale": [1.0, -1.0], "shift": [0.0, 0.0]},
        {"method": "isotonic", "classes": ["a", "b"], "curves": [[[0, 0.5], [1, 0.4]], [[0, 0.5]]]},
        {"method": "isotonic", "classes": ["a", "b"], "curves": [[[0, 0.5], [0, 0.6]], [[0, 0.5]]]},
        {"method": "isotonic", "classes": ["a", "b"], "curves": [[], [[0, 0.5]]]},
        {"method": "isotonic", "classes": ["a"], "curves": [[[0, 0.0]]]},
    ],
)
def test_a_record_out_of_its_bounds_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(DrifaError, match=r"^c.json: "):
        read_calibration(value, "c.json")
