"""Rates near 0 and 1: limits that hold, by the number of groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

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
        # The mean of two classes: more is known than of 29 groups alone, less than of 59 together with a class of one.
        assert edge_interval(1, 29)["low"] < found[name]["low"] < edge_interval(1, 59)["low"], name
        assert found[name]["high"] == 1
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


@pytest.mark.parametrize(("groups", "images"), [(59, 1), (20, 1), (20, 6)])
def test_more_errors_never_raise_a_limit(groups: int, images: int) -> None:
    """Whatever the order in which images become wrong: one group after the other, or one image of each."""
    of, random = np.repeat(np.arange(groups), images), np.random.default_rng(0)
    for order in (np.arange(len(of)), random.permutation(len(of))):
        low, high = 1.0, 1.0
        for wrong in range(len(of) + 1):
            right = np.ones(len(of))
            right[order[:wrong]] = 0
            found = mean_interval(right, of, resamples=400, rate=True)
            assert found["low"] <= low + 1e-3, (wrong, "exact at the edge, drawn beside it")
            assert found["high"] <= high + 1e-3
            low, high = found["low"], found["high"]
        assert low == 0


def test_an_error_widens_every_share_of_a_network() -> None:
    labels = np.arange(60) % 2
    found = []
    for wrong in range(6):
        named = labels.copy()
        named[np.arange(wrong) * 7] ^= 1
        found.append(bootstrap(labels, 0.1 + 0.8 * np.eye(2)[named][None], np.arange(60), resamples=400))
    for name in ("accuracy", "accuracy_at_90", "balanced_accuracy", "recall", "specificity", "f1"):
        lows = [one[name]["low"] for one in found]
        assert lows == sorted(lows, reverse=True), name
        assert lows[0] > lows[-1], name


def test_near_the_edge_the_limits_are_those_of_clopper_and_pearson() -> None:
    for groups, wrong in ((59, 1), (59, 3), (200, 2)):
        right = np.arange(groups) >= wrong
        found = mean_interval(right, np.arange(groups), resamples=4000, rate=True)
        assert found["low"] == pytest.approx(beta.ppf(0.025, groups - wrong, wrong + 1), abs=0.01)
    few, many = (mean_interval(np.arange(60) % 10 > 0, np.arange(60) // size, rate=True)["low"] for size in (5, 1))
    assert few < many  # the same errors, of fewer groups


@pytest.mark.slow
def test_a_share_near_the_edge_is_covered_as_often_as_is_said() -> None:
    random = np.random.default_rng(0)
    for true, groups, images in ((0.97, 60, 1), (0.97, 60, 4), (0.9, 40, 1)):
        held = 0
        for turn in range(400):
            of_group = random.beta(true * 5, (1 - true) * 5, groups) if images > 1 else np.full(groups, true)
            right = random.uniform(size=(groups, images)) < of_group[:, None]
            found = mean_interval(right.ravel(), np.repeat(np.arange(groups), images), 400, seed=turn, rate=True)
            held += found["low"] <= true <= found["high"]
        assert held / 400 >= 0.93, (true, groups, images)


def test_a_mean_at_the_edge_is_a_rate_only_if_it_is_said() -> None:
    assert mean_interval([1, 1, 1], ["a", "b", "c"], rate=True) == edge_interval(1, 3)
    assert mean_interval([1, 1, 1], ["a", "b", "c"]) == {"value": 1, "low": 1, "high": 1}
    assert mean_interval([1, 1], ["a", "a"], rate=True) == {"value": 1, "low": None, "high": None}
    rate, number = (mean_interval(np.arange(12) > 1, np.arange(12), rate=told) for told in (True, False))
    assert rate["low"] < number["low"]
    assert rate["high"] >= number["high"]
    covered = bootstrap_measured([JudgedNumbers([1.0, 2.0], [1.0, 2.0], [1.0, 1.0])], ["a", "b"], resamples=20)
    assert covered["coverage_90"] == edge_interval(1, 2)
