"""Records that JSON can hold, and the checks of what is fitted."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from pydantic import Field, ValidationError

from drifa.errors import DrifaError
from drifa.uncertainty.records import Names, Record, check_groups, check_labelled, check_probabilities, normalised


class Thing(Record):
    classes: Names
    size: float = Field(ge=0, le=1)
    pairs: tuple[tuple[float, float], ...] = ()


def test_a_record_survives_json() -> None:
    thing = Thing(classes=("a", "b"), size=1 / 3, pairs=((0.1, 0.2),))
    assert Thing.from_json(json.loads(json.dumps(thing.to_json()))) == thing


def test_a_record_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Thing(classes=("a",), size=0.5).size = 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 2.0}, r"thing.json: size = 2.0: input should be less than or equal to 1"),
        ({"size": "0.5"}, r"size = '0.5'"),
        ({"size": float("nan")}, r"size = nan"),
        ({"size": None}, r"size = None"),
        ({"classes": []}, r"classes = \[\]"),
        ({"sizes": 0.5}, r"unknown key 'sizes' \(did you mean 'size'\?\)"),
        ({"pairs": [[0.1]]}, r"pairs.0.1"),
    ],
)
def test_a_broken_record_is_refused_by_name_and_place(change: dict[str, object], words: str) -> None:
    with pytest.raises(DrifaError, match=words):
        Thing.from_json({"classes": ["a"], "size": 0.5, **change}, "thing.json")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(DrifaError, match="key 'size' is missing"):
        Thing.from_json({"classes": ["a"]})


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        ([[0.5, 0.5], [np.nan, 0.5]], "nan in row 1"),
        ([[0.5, np.inf]], "inf in row 0"),
        ([[2.0, -1.0]], "softmax"),
        ([[0.5, 0.6]], "sum to 1"),
        ([0.5, 0.5], "table"),
        (np.empty((0, 2)), "table"),
        ([["a", "b"]], "could not convert"),
        ([[0.2, 0.3, 0.5]], r"3 classes do not fit 2 class names \['a', 'b'\]"),
    ],
)
def test_what_are_no_probabilities_is_refused(probabilities: object, words: str) -> None:
    with pytest.raises(DrifaError, match=words):
        check_probabilities(probabilities, ("a", "b"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("labels", "words"), [([0, 2], "2 in row 1"), ([0], "one label per row"), ([0, 0.5], "row 1")])
def test_labels_must_fit(labels: list[float], words: str) -> None:
    with pytest.raises(DrifaError, match=words):
        check_labelled(labels, [[0.5, 0.5], [0.1, 0.9]], None)


def test_classes_without_names_are_called_by_their_numbers() -> None:
    assert check_labelled([0, 1], [[0.5, 0.5], [0.1, 0.9]], None)[2] == ("0", "1")


def test_groups_are_counted_and_each_row_is_its_own_without_them() -> None:
    assert check_groups(["b", "a", "b"], 3).tolist() == [1, 0, 1]
    assert check_groups(None, 3).tolist() == [0, 1, 2]
    with pytest.raises(DrifaError, match="one group per row"):
        check_groups(["a"], 3)


def test_rows_sum_to_one() -> None:
    np.testing.assert_allclose(normalised(np.array([[1.0, 3.0]])), [[0.25, 0.75]])


def test_calibrations_and_sets_need_no_torch() -> None:
    code = "import sys, drifa.uncertainty.reports, drifa.uncertainty.calibration; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
