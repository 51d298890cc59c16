"""Curves carry the same numbers as the metrics that summarise them."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from drifa.metrics.classification import classification_metrics
from drifa.metrics.curves import reliability, risk_coverage, wilson_interval


def answers(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    p = random.dirichlet([0.6, 0.6, 0.6], size=count)
    return random.integers(0, 3, count), p


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 80))
def test_ece_is_the_weighted_gap_of_the_reliability_bins(seed: int, count: int) -> None:
    labels, p = answers(seed, count)
    rows = reliability(labels, p)
    assert sum(row["count"] for row in rows) == count
    gap = sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in rows if row["count"]) / count
    assert gap == pytest.approx(classification_metrics(labels, p)["ece"])
    for row in rows:
        if row["count"]:
            assert row["low"] - 1e-9 <= row["confidence"] <= row["high"] + 1e-9


def test_empty_bins_are_null_and_certainty_is_in_the_last_bin() -> None:
    rows = reliability([0, 0], [[1.0, 0.0], [0.5, 0.5]], bins=4)
    assert [row["count"] for row in rows] == [0, 1, 0, 1]
    assert rows[0]["accuracy"] is None
    assert rows[0]["confidence"] is None
    assert (rows[0]["low"], rows[-1]["high"]) == (0, 1)
    json.dumps(rows, allow_nan=False)


def test_risk_coverage_meets_the_selective_accuracies() -> None:
    labels, p = answers(seed=1, count=200)
    doubt = 1 - p.max(axis=1)
    ours = classification_metrics(labels, p)
    by_coverage = {round(row["coverage"], 6): row["accuracy"] for row in risk_coverage(labels, p, doubt)}
    assert len(by_coverage) == 50
    for percent in (50, 80, 90, 100):
        assert by_coverage[percent / 100] == pytest.approx(ours[f"accuracy_at_{percent}"])


def test_oracle_doubt_gives_a_curve_that_never_rises() -> None:
    labels, p = answers(seed=2, count=60)
    wrong = (p.argmax(axis=1) != labels).astype(float)
    accuracy = [row["accuracy"] for row in risk_coverage(labels, p, wrong)]
    assert accuracy[0] == 1
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(accuracy))


def test_fewer_images_than_points_and_ties() -> None:
    rows = risk_coverage([0, 0, 1], [[0.5, 0.5]] * 3, [1.0, 1.0, 1.0])
    assert [row["coverage"] for row in rows] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [row["accuracy"] for row in rows] == pytest.approx([2 / 3] * 3)


@pytest.mark.parametrize(("right", "count"), [(0, 5), (3, 10), (50, 50)])
def test_the_interval_of_wilson_is_that_of_scipy(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(method="wilson")
    assert wilson_interval(right / count, count) == pytest.approx((expected.low, expected.high))
