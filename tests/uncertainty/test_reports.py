"""What calibrations and sets did, in numbers with their intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from drifa.errors import DrifaError
from drifa.metrics.classification import classification_metrics
from drifa.uncertainty.calibration import Temperature
from drifa.uncertainty.reports import REPORTED, abstention_report, calibration_report, coverage_report
from tests.uncertainty.classifiers import classifier


def test_a_calibration_is_reported_before_and_after() -> None:
    (labels, p), groups = classifier(600, temperature=3), np.arange(600) // 3
    q = Temperature(classes=tuple("abcd"), temperature=3)(p)
    found = calibration_report(labels, p, q, groups, resamples=100)
    assert list(found) == list(REPORTED)
    json.dumps(found, allow_nan=False)
    for metric, row in found.items():
        assert row["before"]["value"] == classification_metrics(labels, p)[metric]
        assert row["after"]["value"] == classification_metrics(labels, q)[metric]
    better = found["nll"]["difference"]["high"]
    assert better is not None
    assert better < 0
    assert found["accuracy"]["difference"] == {"value": 0, "low": 0, "high": 0}


def test_coverage_and_size_are_counted() -> None:
    labels, groups = [0, 0, 1, 1, 1], ["p", "p", "q", "r", "r"]
    sets = np.array([[True, True], [False, False], [False, True], [True, False], [True, True]])
    everyone, mel, nv, none = coverage_report(labels, np.pad(sets, ((0, 0), (0, 1))), groups, ["mel", "nv", "df"], 50)
    value = {key: entry["value"] for key, entry in everyone.items() if isinstance(entry, dict)}
    expected = {
        "coverage": 3 / 5,
        "group_coverage": 2 / 3,
        "whole_groups": 1 / 3,
        "size": 6 / 5,
        "empty": 1 / 5,
        "single": 2 / 5,
    }
    assert value == pytest.approx(expected)
    assert (everyone["images"], everyone["groups"]) == (5, 3)
    assert (mel["class"], mel["images"], mel["groups"], mel["coverage"]["value"]) == ("mel", 2, 1, 0.5)
    assert mel["coverage"]["low"] is None  # one group says nothing about others
    assert (nv["images"], nv["groups"], nv["whole_groups"]["value"]) == (3, 2, 0.5)
    assert (none["images"], none["coverage"]) == (0, {"value": None, "low": None, "high": None})
    json.dumps([everyone, mel, nv, none], allow_nan=False)


def test_intervals_are_over_groups() -> None:
    holds = np.random.default_rng(0).random(40) < 0.8
    sets = np.stack([holds, ~holds], axis=1)
    alone = coverage_report(np.zeros(40, int), sets, np.arange(40), ["a", "b"])[0]
    copied = coverage_report(np.zeros(400, int), sets.repeat(10, axis=0), np.arange(400) // 10, ["a", "b"])[0]
    assert copied["coverage"] == pytest.approx(alone["coverage"])


@pytest.mark.parametrize(
    ("labels", "sets", "words"),
    [
        ([0, 1], [[True, False]], "do not fit 2 labels"),
        ([0], [[1, 0]], "type int64"),
        ([2], [[True, False]], "label 2 in row 0"),
        ([0], [[True]], "2 classes"),
    ],
)
def test_sets_must_fit(labels: list[int], sets: list[list[bool]], words: str) -> None:
    with pytest.raises(DrifaError, match=words):
        coverage_report(labels, sets, ["p"] * len(labels), ["a", "b"])


def test_what_is_answered_is_counted_by_class_and_subgroup() -> None:
    wrong = np.array([True, False, False, True, False])
    kept = np.array([True, True, False, True, False])
    sex = ["f", "f", "f", "m", "m"]
    rows = abstention_report([0, 0, 0, 1, 1], wrong, kept, ["p", "q", "q", "r", "s"], ["mel", "nv"], {"sex": sex}, 50)
    assert [(row["by"], row["value"]) for row in rows] == [
        (None, None),
        ("class", "mel"),
        ("class", "nv"),
        ("sex", "f"),
        ("sex", "m"),
    ]
    everyone, mel, nv, *_ = rows
    assert (everyone["images"], everyone["groups"], everyone["kept"]) == (5, 4, 3)
    assert everyone["coverage"]["value"] == pytest.approx(3 / 5)
    assert everyone["risk"]["value"] == pytest.approx(2 / 3)
    assert everyone["risk_of_all"]["value"] == pytest.approx(2 / 5)
    assert (mel["risk"]["value"], nv["risk"]["value"]) == (0.5, 1)
    assert nv["risk"]["low"] is None  # one group says nothing about others
    nothing = abstention_report([0, 1], [True, False], [False, False], ["p", "q"], ["mel", "nv"], resamples=50)[0]
    assert nothing["risk"] == {"value": None, "low": None, "high": None}
    json.dumps(rows, allow_nan=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 2]}, "label 2 in row 1 is not a class index below 2"),
        ({"kept": [True]}, r"kept of shape \(1,\)"),
        ({"wrong": [0, 1]}, "wrong of shape .* type int64"),
        ({"subgroups": {"sex": ["f"]}}, "subgroup 'sex'"),
    ],
)
def test_an_abstention_report_refuses_what_does_not_fit(change: dict, message: str) -> None:
    good = {"labels": [0, 1], "wrong": [True, False], "kept": [True, True], "groups": ["p", "q"], "classes": ["a", "b"]}
    with pytest.raises(DrifaError, match=message):
        abstention_report(**good | change)
