"""Rates of 0 and 1: limits that hold, by the number of groups."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.metrics.edges import edge_interval
from drifa.metrics.intervals import bootstrap, bootstrap_measured, mean_interval
from drifa.metrics.regression import JudgedNumbers


def test_limits_at_the_edge_are_those_of_clopper_and_pearson() -> None:
    for groups, low in ((1, 0.025), (3, 0.2924), (20, 0.8316), (59, 0.9394), (300, 0.9878)):  # binom.test in R
        assert edge_interval(1, groups)["low"] == pytest.approx(low, abs=5e-5)
        none = edge_interval(0, groups)
        assert none == {"value": 0, "low": 0, "high": pytest.approx(1 - low, abs=5e-5)}
    assert edge_interval(1, 59, level=0.9)["low"] > edge_interval(1, 59)["low"]
    for wrong in ((0.5, 10), (1, 0)):
        with pytest.raises(ValueError, match="is not at an edge"):
            edge_interval(*wrong)


def test_a_rate_of_one_is_not_certain() -> None:
    labels = np.arange(59) % 2  # 30 of one class, 29 of the other
    found = bootstrap(labels, np.eye(2)[labels][None], np.arange(59), resamples=50)
    assert found["accuracy"] == edge_interval(1, 59)
    assert found["accuracy_at_100"] == edge_interval(1, 59)
    assert found["accuracy_at_50"] == edge_interval(1, 30)
    for name in ("balanced_accuracy", "recall", "specificity", "precision", "f1"):
        assert found[name] == edge_interval(1, 29), name
    wrong = bootstrap(labels, np.eye(2)[1 - labels][None], np.arange(59), resamples=50)
    assert wrong["accuracy"] == edge_interval(0, 59)


def test_groups_count_at_the_edge_and_not_images() -> None:
    labels = np.zeros(60, dtype=int)
    found = bootstrap(labels, np.tile([0.9, 0.1], (1, 60, 1)), np.arange(60) // 3, resamples=50)
    assert found["accuracy"] == edge_interval(1, 20)
    assert found["accuracy_at_50"] == edge_interval(1, 10)
    uneven = bootstrap(labels, np.tile([0.9, 0.1], (1, 60, 1)), np.maximum(np.arange(60) - 40, 0), resamples=50)
    assert uneven["accuracy_at_50"] == edge_interval(1, 1)  # all of the surest half may be of the one large group


def test_the_edge_holds_what_it_promises() -> None:
    random, level, true = np.random.default_rng(0), 0.95, 0.97
    right = random.binomial(40, true, 4000)
    missed = np.mean((right == 40) & (edge_interval(1, 40, level)["low"] > true))
    assert missed <= (1 - level) / 2


def test_a_mean_at_the_edge_is_a_rate_only_if_it_is_said() -> None:
    assert mean_interval([1, 1, 1], ["a", "b", "c"], rate=True) == edge_interval(1, 3)
    assert mean_interval([1, 1, 1], ["a", "b", "c"]) == {"value": 1, "low": 1, "high": 1}
    assert mean_interval([1, 1], ["a", "a"], rate=True) == {"value": 1, "low": None, "high": None}
    assert mean_interval([1, 0, 1], ["a", "b", "c"], rate=True) == mean_interval([1, 0, 1], ["a", "b", "c"])
    covered = bootstrap_measured([JudgedNumbers([1.0, 2.0], [1.0, 2.0], [1.0, 1.0])], ["a", "b"], resamples=20)
    assert covered["coverage_90"] == edge_interval(1, 2)
