"""ROC and precision-recall: as scikit-learn counts them, bands that hold the curve and grow where groups are few."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from drifa.metrics.intervals import bootstrap
from drifa.metrics.ranked import STEPS, RankedClass, ranked_classes


def cases(seed: int, count: int = 90) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.uniform(size=count) < 0.3
    return truth, np.clip(0.3 * truth + random.uniform(0, 0.7, count), 0, 1).round(2)  # with ties


def second(truth: np.ndarray, score: np.ndarray, groups: np.ndarray, resamples: int = 200) -> RankedClass:
    found = ranked_classes(truth.astype(int), np.stack([1 - score, score], axis=1), groups, resamples)[1]
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(3))
def test_values_are_those_of_scikit_learn(seed: int) -> None:
    truth, score = cases(seed)
    found = second(truth, score, np.arange(len(truth)), 20)
    assert found.auc["value"] == pytest.approx(roc_auc_score(truth, score))
    assert found.average_precision["value"] == pytest.approx(average_precision_score(truth, score))
    false, hits, _ = roc_curve(truth, score, drop_intermediate=False)
    for step, interval in zip(STEPS, found.found, strict=True):
        assert interval["value"] == pytest.approx(max(hits[false <= step + 1e-9]))
    assert found.found_at(0.9) == found.found[STEPS.index(0.1)]


def test_the_area_has_the_interval_of_the_other_figures() -> None:
    truth, score = cases(0)
    groups = np.arange(len(truth)) // 2
    p = np.stack([1 - score, score], axis=1)
    expected = bootstrap(truth.astype(int), p[None], groups, resamples=100)["auc"]
    assert second(truth, score, groups, 100).auc == pytest.approx(expected)


def test_bands_hold_the_curve_and_are_wider_over_groups() -> None:
    truth, score = (np.repeat(part, 4) for part in cases(1))
    apart = second(truth, score, np.arange(len(truth)))
    together = second(truth, score, np.arange(len(truth)) // 4)
    for one in (apart, together):
        for interval in (*one.found, *one.precision):
            low, value, high = (np.nan if interval[name] is None else interval[name] for name in ("low", "value", "high"))
            assert 0 <= low <= value <= high <= 1

    def width(one: RankedClass) -> float:
        return sum((i["high"] or 0) - (i["low"] or 0) for i in (*one.found, *one.precision))

    assert width(together) > 1.3 * width(apart)


def test_a_perfect_ranking_of_few_groups_is_not_sure() -> None:
    truth = np.arange(40) % 8 == 0
    found = second(truth, truth.astype(float), np.arange(40))
    assert found.auc == {"value": 1.0, "low": None, "high": None}
    assert found.found_at(0.9)["value"] == 1
    assert (found.found_at(0.9)["low"] or 1) < 0.6
    assert (found.precision[-1]["low"] or 1) < 0.6


def test_what_cannot_be_told_is_not() -> None:
    truth, score = cases(2)
    alone = second(truth, score, np.zeros(len(truth), dtype=int))
    assert alone.found_at(0.9)["value"] is not None
    assert alone.found_at(0.9)["low"] is None
    assert ranked_classes(np.zeros(5, dtype=int), np.full((5, 2), 0.5), np.arange(5)) == [None, None]
    with pytest.raises(ValueError, match="row per case"):
        ranked_classes([0, 1], [[0.5, 0.5]], [0, 1])
