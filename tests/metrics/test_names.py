"""The table of metrics: every number that can be reported has a row, and what the row says of it holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drifa.metrics import names, segmentation
from drifa.metrics.classification import METRICS, classification_metrics
from drifa.metrics.names import METRICS_OF, Kind, metric_words
from drifa.metrics.regression import NUMBER_METRICS, SPREAD_METRICS, regression_metrics

PRODUCED: dict[Kind, tuple[str, ...]] = {
    "classes": METRICS,
    "number": NUMBER_METRICS + SPREAD_METRICS,
    "regions": segmentation.VOLUME_METRICS,
}
OF_PARTNERS = {"classes": names.PARTNER_METRICS, "number": names.NUMBER_PARTNER_METRICS, "regions": {}}
SURE = 0.9


def classes(seed: int, wrong: int | None = None) -> dict[str, float]:
    """Metrics of random answers, or of sure ones of which the given number is wrong and less sure than the others."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(60) % 3)
    if wrong is None:
        return classification_metrics(labels, random.dirichlet([0.5] * 3, 60))
    p = np.where(np.eye(3, dtype=bool)[labels], SURE, (1 - SURE) / 2)
    p[:wrong] = np.roll(p[:wrong], 1, axis=1)
    return classification_metrics(labels, p)


def numbers(seed: int, noise: float | None = None) -> dict[str, float]:
    """Metrics of random numbers, or of ages with an error that the stated deviation does not know of."""
    random = np.random.default_rng(seed)
    truth = random.uniform(20, 90, 60)
    if noise is None:
        return regression_metrics(truth, random.normal(50, 30, 60), random.uniform(0.1, 50, 60))
    return regression_metrics(truth, truth + noise * random.normal(size=60), np.ones(60))


def regions(seed: int, flipped: float | None = None) -> dict[str, float]:
    """Metrics of random voxels, or of a ball some of whose voxels are predicted the other way round."""
    random = np.random.default_rng(seed)
    truth = np.linalg.norm(np.indices((9, 9, 9)) - 4, axis=0) < 3
    chance = random.uniform(0, 0.5) if flipped is None else flipped
    predicted = truth ^ (random.uniform(size=truth.shape) < chance)
    if flipped is None and seed % 3 == 0:
        predicted = np.zeros_like(truth)
    head = np.ones_like(truth)
    (row,) = segmentation.judge_volume(truth[None], predicted[None], ["WT"], [1, 1, 2], head)
    return {name: row[name] for name in segmentation.VOLUME_METRICS}


MAKE = {"classes": classes, "number": numbers, "regions": regions}


@pytest.mark.parametrize("kind", PRODUCED)
def test_every_metric_that_is_produced_has_a_row(kind: Kind) -> None:
    assert tuple(MAKE[kind](0)) == PRODUCED[kind]
    for name in PRODUCED[kind]:
        row = metric_words(name, kind)
        assert row is METRICS_OF[kind][name]
        assert row.label
        assert row.meaning.endswith(".")
    assert set(METRICS_OF[kind]) - set(PRODUCED[kind]) == set(OF_PARTNERS[kind])
    labels = [row.label for row in METRICS_OF[kind].values()]
    assert len(set(labels)) == len(labels)


def test_headlines_are_metrics_of_their_kind() -> None:
    assert names.HEADLINES.keys() == METRICS_OF.keys()
    for kind, headline in names.HEADLINES.items():
        assert set(headline) <= set(PRODUCED[kind])
    assert names.HEADLINES["classes"] == names.HEADLINE


def test_a_name_is_read_by_the_kind_of_answer() -> None:
    assert metric_words("nll") != metric_words("nll", "number")
    assert metric_words("specificity") != metric_words("specificity", "regions")
    assert metric_words("mae").label == "Mae"
    assert metric_words("mae", "number").style == "unit"


@pytest.mark.parametrize("kind", PRODUCED)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_bounds_hold(kind: Kind, seed: int) -> None:
    for name, value in MAKE[kind](seed).items():
        low, high = metric_words(name, kind).bounds
        assert np.isnan(value) or (-np.inf if low is None else low) <= value + 1e-12, name
        assert np.isnan(value) or value <= (np.inf if high is None else high) + 1e-12, name


@pytest.mark.parametrize(("kind", "perfect", "worse"), [("classes", 0, 20), ("number", 0.0, 4.0), ("regions", 0.0, 0.2)])
@pytest.mark.parametrize("seed", range(5))
def test_a_worse_answer_moves_each_metric_as_its_row_says(kind: Kind, perfect: float, worse: float, seed: int) -> None:
    good, bad = MAKE[kind](seed, perfect), MAKE[kind](seed, worse)
    for name, value in good.items():
        row = metric_words(name, kind)
        # Undefined of one of the two: a perfect network makes no error to detect. Nothing is missed by either of the two.
        if not row.better or name in ("error_auroc", "missed"):
            continue
        assert (value > bad[name]) if row.better == "higher" else (value < bad[name]), name


def test_what_a_perfect_answer_leaves_undefined_moves_too() -> None:
    labels = [0, 1, 0, 1]
    p = [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.6, 0.4]]
    knows, does_not = (classification_metrics(labels, p, uncertainty=doubt) for doubt in ([0, 0, 0, 1], [1, 1, 1, 0]))
    assert metric_words("error_auroc").better == "higher"
    assert knows["error_auroc"] > does_not["error_auroc"]
    truth = np.ones((1, 2, 2, 2), dtype=bool)
    found, missed = (segmentation.judge_volume(truth, p, ["WT"], [1, 1, 1])[0]["missed"] for p in (truth, ~truth))
    assert metric_words("missed", "regions").better == "lower"
    assert found < missed
