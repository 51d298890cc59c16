"""Net benefit: as counted by hand, none lost by a perfect model, and no interval narrower than its groups allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drifa.metrics.decisions import THRESHOLDS, DecisionPoint, decision_curves


def decision_curve(truth: np.ndarray, score: np.ndarray, groups: np.ndarray, *rest: Any, **more: Any) -> list[DecisionPoint]:
    """Of the second of two classes."""
    return decision_curves(truth.astype(int), np.stack([1 - score, score], axis=1), groups, *rest, **more)[1]


def cases(seed: int, count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.uniform(size=count) < 0.3
    return truth, np.clip(0.3 * truth + random.uniform(0, 0.7, count), 0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_net_benefit_is_what_is_counted(seed: int) -> None:
    truth, probability = cases(seed)
    for point in decision_curve(truth, probability, np.arange(len(truth)), resamples=20):
        threshold = point["threshold"]
        acted = probability >= threshold
        price = threshold / (1 - threshold)
        assert point["model"] == pytest.approx(((acted & truth).sum() - price * (acted & ~truth).sum()) / len(truth))
        assert point["everybody"] == pytest.approx((truth.sum() - price * (~truth).sum()) / len(truth))


def test_nobody_does_better_than_one_who_knows() -> None:
    truth, probability = cases(0)
    knowing = decision_curve(truth, truth.astype(float), np.arange(len(truth)), resamples=20)
    for best, point in zip(knowing, decision_curve(truth, probability, np.arange(len(truth)), resamples=20), strict=True):
        assert best["model"] == pytest.approx(truth.mean())
        assert max(point["model"], point["everybody"]) <= best["model"]
    always = decision_curve(truth, np.ones(len(truth)), np.arange(len(truth)), resamples=20)
    never = decision_curve(truth, np.zeros(len(truth)), np.arange(len(truth)), resamples=20)
    assert all(point["model"] == pytest.approx(point["everybody"]) for point in always)
    assert all(point["model"] == point["low"] == point["high"] == 0 for point in never)


def test_the_interval_holds_the_value_and_is_wider_over_groups() -> None:
    truth, probability = cases(1)
    truth, probability = np.repeat(truth, 4), np.repeat(probability, 4)
    apart = decision_curve(truth, probability, np.arange(480), [0.2], resamples=400)[0]
    grouped = decision_curve(truth, probability, np.arange(480) // 4, [0.2], resamples=400)[0]
    assert grouped["low"] is not None
    assert grouped["high"] is not None
    assert apart["low"] is not None
    assert apart["high"] is not None
    assert grouped["low"] < grouped["model"] < grouped["high"]
    assert grouped["high"] - grouped["low"] > 1.5 * (apart["high"] - apart["low"])
    alone = decision_curve(truth, probability, np.zeros(480), [0.2], resamples=20)[0]
    assert alone["low"] is alone["high"] is None


def test_each_class_is_taken_against_all_others() -> None:
    random = np.random.default_rng(2)
    labels, p = random.integers(3, size=90), random.dirichlet(np.ones(3), 90)
    curves = decision_curves(labels, p, np.arange(90) // 3, resamples=30)
    for number, points in enumerate(curves):
        assert points == decision_curve(labels == number, p[:, number], np.arange(90) // 3, resamples=30)


def test_what_is_no_probability_or_threshold_is_refused() -> None:
    assert len(THRESHOLDS) == 99
    half = [[0.5, 0.5], [0.5, 0.5]]
    for probabilities in ([[0.1, 1.2], [0.5, 0.5]], [[0.1, 0.9]], [[np.nan, 0.2], [0.5, 0.5]], [0.1, 0.2]):
        with pytest.raises(ValueError, match="must be from 0 to 1"):
            decision_curves([0, 1], probabilities, [0, 1])
    with pytest.raises(ValueError, match="labels must be classes, from 0 to 1"):
        decision_curves([0, 2], half, [0, 1])
    for thresholds in ([0.0], [1.0], [0.2, 0.2]):
        with pytest.raises(ValueError, match="above 0 and below 1"):
            decision_curves([0, 1], half, [0, 1], thresholds)
