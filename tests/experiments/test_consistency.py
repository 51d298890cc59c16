"""The rules hold for every possible evaluation, and find in the paper's tables what they should, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.experiments.consistency import accuracy_floor, examine, f1_ceiling, is_share
from drifa.experiments.printed import Printed, printed
from drifa.metrics.classification import Judged


def found(rule: str) -> dict[tuple[str, str, str], str]:
    return {
        (one.table, one.dataset, row): one.says for one in examine(printed()) if one.rule == rule for row in one.rows or ("",)
    }


@pytest.mark.parametrize("seed", range(20))
def test_no_evaluation_breaks_the_bounds(seed: int) -> None:
    random = np.random.default_rng(seed)
    classes = int(random.integers(2, 8))
    labels = np.concatenate([np.arange(classes), random.choice(classes, 60, p=random.dirichlet(np.ones(classes)))])
    scores = random.random((len(labels), classes)) + random.uniform(0, 2) * np.eye(classes)[labels]
    judged = Judged(labels, scores / scores.sum(1, keepdims=True)).measure(np.ones((1, len(labels))))
    accuracy, precision, recall, f1 = (100 * judged[name][0] for name in ("accuracy", "precision", "recall", "f1"))
    assert accuracy >= accuracy_floor(recall, classes) - 1e-9
    assert f1 <= f1_ceiling(precision, recall) + 1e-9


def test_the_bounds_are_reached() -> None:
    # One class, all but all images, half right; the other two all right.
    assert accuracy_floor((50 + 100 + 100) / 3, 3) == pytest.approx(50)
    assert f1_ceiling(80, 80) == pytest.approx(80)
    assert f1_ceiling(95.9, 98) == pytest.approx(96.94, abs=0.005)


def test_accuracies_that_a_mean_recall_forbids() -> None:
    told = found("accuracy_bound")
    assert set(told) == {("table1", "D3", "M2"), ("table1", "D4", "M1")}
    assert "at least 99.2" in told["table1", "D3", "M2"]
    assert "unless the two are exchanged" in told["table1", "D3", "M2"]
    assert "at least 93.4" in told["table1", "D4", "M1"]
    assert "nor if the two are exchanged" in told["table1", "D4", "M1"]


def test_f1_above_what_precision_and_recall_allow() -> None:
    told = found("f1_bound")
    # Table 4 on D2 is nearest: 94.2 over 94.10, within one in the last digit.
    assert set(told) == {("table1", "D1", "M3"), ("table1", "D3", "M1")}
    assert "96.94" in told["table1", "D1", "M3"]
    assert "97.24" in told["table1", "D3", "M1"]


@pytest.mark.parametrize(
    ("value", "digits", "impossible", "possible"),
    [
        (99.7, 1, (110, 165), (656, 330, 1097)),
        (98.4, 1, (656,), (702, 1311)),
        (98.2, 1, (810,), (1001, 1002, 2003)),
        (95.08, 2, (405, 810, 2003), (61,)),
    ],
)
def test_a_share_is_of_a_whole_number_of_images(
    value: float, digits: int, impossible: tuple[int, ...], possible: tuple[int, ...]
) -> None:
    assert not any(is_share(value, count, digits) for count in impossible)
    assert all(is_share(value, count, digits) for count in possible)


def test_accuracies_that_no_test_set_of_theirs_can_give() -> None:
    told = found("granularity")
    assert ("table1", "D2", "M4") in told
    assert ("table1", "D4", "M5") in told
    assert ("table1", "D1", "M5") not in told
    assert ("table1", "D3", "M5") not in told


def test_rows_that_were_used_twice_or_differ() -> None:
    assert set(found("same_rows")) == {("table6", "D1", "MFA 1"), ("table6", "D1", "MIFA 1")}
    assert set(found("two_values")) == {("table4", "D1", "baseline")}
    assert "94.85 here and 94.8" in found("two_values")["table4", "D1", "baseline"]


def test_where_the_proposed_network_is_not_best() -> None:
    assert set(found("not_best")) == {("table1", "D3", "M2")}
    assert "99.8" in found("not_best")["table1", "D3", "M2"]


def test_f1_made_of_the_means_is_told_where_most_rows_are() -> None:
    told = found("made_of")
    assert "11 of 20" in told["table1", "", ""]
    assert "4 of 4" in told["table7", "", ""]


def test_a_table_that_can_be_has_no_findings() -> None:
    row = {"accuracy": "90.0", "precision": "80.0", "recall": "82.0", "f1": "78.0"}
    assert examine([Printed("table1", "D1", "M1", metric, text) for metric, text in row.items()]) == []
