"""Differences are those of the plain bootstrap; adjusted p-values never let more through than Holm's steps do."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.metrics.classification import Judged
from drifa.metrics.differences import POWER_80, holm, paired
from drifa.metrics.intervals import bootstrap_draws, paired_difference


def networks(seed: int, skill: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(0, 3, 90)
    p = np.exp(random.normal(size=(90, 3)) + skill * np.eye(3)[labels])
    return labels, p / p.sum(axis=1, keepdims=True), np.arange(90) // 3


def test_is_the_paired_bootstrap() -> None:
    labels, a, groups = networks(1, 2.0)
    b = networks(2, 0.5)[1]
    drawn = [bootstrap_draws([Judged(labels, one)], groups, 300)["accuracy"] for one in (a, b)]
    found, plain = paired(*drawn[0], *drawn[1]), paired_difference(labels, a[None], b[None], groups, resamples=300)
    assert {key: found[key] for key in plain} == pytest.approx(plain)
    assert found["se"] == pytest.approx(np.std(drawn[0][1] - drawn[1][1], ddof=1))
    assert found["detectable"] == pytest.approx(POWER_80 * found["se"])


def test_p_and_interval_say_the_same() -> None:
    for seed in range(12):
        labels, a, groups = networks(10 + seed, 1.0)
        b = networks(40 + seed, 0.6)[1]
        drawn = [bootstrap_draws([Judged(labels, one)], groups, 400)["nll"] for one in (a, b)]
        found = paired(*drawn[0], *drawn[1])
        outside = found["low"] > 0 or found["high"] < 0
        assert outside == (found["p"] < 0.05) or abs(found["p"] - 0.05) < 0.01


def test_swapping_the_methods_changes_the_sign_alone() -> None:
    labels, a, groups = networks(3, 1.0)
    b = networks(4, 1.0)[1]
    one, other = (bootstrap_draws([Judged(labels, p)], groups, 200)["nll"] for p in (a, b))
    found, swapped = paired(*one, *other), paired(*other, *one)
    assert found["value"] == pytest.approx(-swapped["value"])
    assert (found["p"], found["se"]) == pytest.approx((swapped["p"], swapped["se"]))


def test_what_is_the_same_in_every_resample_promises_no_power() -> None:
    labels, a, groups = networks(6, 1.0)
    drawn = bootstrap_draws([Judged(labels, a)], groups, 50)["accuracy"]
    found = paired(*drawn, *drawn)
    assert (found["value"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)
    assert found["detectable"] is None


def test_one_group_has_no_interval() -> None:
    labels, a, _ = networks(5, 1.0)
    drawn = bootstrap_draws([Judged(labels, a)], np.zeros(90), 50)["accuracy"]
    found = paired(*drawn, *drawn)
    assert found["value"] == 0
    assert found["low"] is found["p"] is found["detectable"] is None


def test_holm_steps_down() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        p = random.uniform(size=random.integers(1, 9)).tolist()
        adjusted = holm(p)
        order = np.argsort(p)
        allowed = 0
        while allowed < len(p) and p[order[allowed]] < 0.05 / (len(p) - allowed):
            allowed += 1
        assert sorted(np.flatnonzero(np.array(adjusted) < 0.05).tolist()) == sorted(order[:allowed].tolist())
        assert all(own >= before for own, before in zip(adjusted, p, strict=True))
    assert holm([]) == []
