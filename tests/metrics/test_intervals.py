"""Intervals: they cover what they should, follow the groups, and agree with drawing rows one resample at a time."""

from __future__ import annotations

import json

import numpy as np
import pytest

from drifa.metrics.classification import METRICS, Judged, classification_metrics
from drifa.metrics.intervals import (
    bootstrap,
    bootstrap_draws,
    bootstrap_measured,
    mean_interval,
    paired_difference,
    paired_difference_measured,
    seed_interval,
)
from drifa.metrics.regression import NUMBER_METRICS, SPREAD_METRICS, JudgedNumbers, regression_metrics


def answers(random: np.random.Generator, count: int, networks: int = 1, skill: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    labels = random.integers(0, 3, count)
    p = np.exp(random.normal(size=(networks, count, 3)) + skill * np.eye(3)[labels])
    return labels, p / p.sum(axis=2, keepdims=True)


def test_values_are_the_means_over_the_networks() -> None:
    random = np.random.default_rng(0)
    labels, p = answers(random, 80, networks=3)
    doubt = random.uniform(size=(3, 80))
    ours = bootstrap(labels, p, np.arange(80), doubt, resamples=50)
    assert tuple(ours) == METRICS
    alone = [classification_metrics(labels, one, uncertainty=u) for one, u in zip(p, doubt, strict=True)]
    for name in METRICS:
        assert ours[name]["value"] == pytest.approx(np.mean([one[name] for one in alone]))
        assert ours[name]["low"] < ours[name]["high"]


def test_is_the_plain_group_bootstrap() -> None:
    """The fast weighted form gives what repeating the rows of the drawn groups gives, for the same draws."""
    random = np.random.default_rng(1)
    labels, p = answers(random, 40)
    groups = random.integers(0, 15, 40)
    _, index = np.unique(groups.astype(str), return_inverse=True)
    counts = np.random.default_rng(7).multinomial(index.max() + 1, np.full(index.max() + 1, 1 / (index.max() + 1)), size=60)
    slow = [classification_metrics(labels[rows], p[0][rows]) for rows in (np.repeat(np.arange(40), c[index]) for c in counts)]
    fast, drawn = (ask([Judged(labels, p[0])], groups, resamples=60, seed=7) for ask in (bootstrap_measured, bootstrap_draws))
    for name in ("accuracy", "f1", "auc", "ece", "accuracy_at_80", "error_auroc"):
        assert drawn[name][1] == pytest.approx([one[name] for one in slow])
        low, high = np.quantile([one[name] for one in slow], [0.025, 0.975])
        if name in ("auc", "ece", "error_auroc"):
            assert [fast[name]["low"], fast[name]["high"]] == pytest.approx([low, high])
        else:  # shares are a little wider
            assert low - 0.25 < fast[name]["low"] < low < high <= fast[name]["high"] <= 1


def test_row_order_and_block_size_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    labels, p = answers(random, 50)
    groups = random.integers(0, 20, 50)
    order = random.permutation(50)
    first = bootstrap(labels, p, groups, resamples=100)
    monkeypatch.setattr("drifa.metrics.resampling.BLOCK", 128)
    second = bootstrap(labels[order], p[:, order], groups[order], resamples=100)
    for name in METRICS:
        assert first[name] == pytest.approx(second[name])
    assert bootstrap(labels, p, groups, resamples=100, seed=1)["accuracy"] != first["accuracy"]


def test_about_95_of_100_intervals_hold_the_true_accuracy() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        right = random.uniform(size=80) < 0.7
        p = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])[None]
        found = bootstrap(np.zeros(80, dtype=int), p, np.arange(80), resamples=200)["accuracy"]
        held += found["low"] <= 0.7 <= found["high"]
    assert 0.88 <= held / 200 <= 0.99


def test_correlated_groups_widen_the_interval() -> None:
    random = np.random.default_rng(4)
    right = np.repeat(random.uniform(size=40) < 0.7, 5)
    p = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])[None]
    labels = np.zeros(200, dtype=int)

    def width(groups: np.ndarray) -> float:
        found = bootstrap(labels, p, groups, resamples=400)["accuracy"]
        return found["high"] - found["low"]

    # Five identical images per group: the standard error grows by the square root of five.
    assert width(np.repeat(np.arange(40), 5)) == pytest.approx(5**0.5 * width(np.arange(200)), rel=0.25)


def test_higher_level_is_wider() -> None:
    labels, p = answers(np.random.default_rng(5), 60)
    narrow, wide = (bootstrap(labels, p, np.arange(60), resamples=200, level=level)["accuracy"] for level in (0.5, 0.99))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_undefined_is_null() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1])
    ours = bootstrap(labels, np.eye(2)[labels][None], np.arange(6), resamples=50)
    assert ours["error_auroc"] == {"value": None, "low": None, "high": None}
    assert ours["auc"] == {"value": 1, "low": None, "high": None}
    one_group = bootstrap(labels, np.eye(2)[labels][None], ["lesion"] * 6, resamples=50)
    assert one_group["accuracy"] == {"value": 1, "low": None, "high": None}
    json.dumps(ours, allow_nan=False)


def test_paired_difference_is_antisymmetric_and_narrower() -> None:
    random = np.random.default_rng(6)
    labels, a = answers(random, 150, networks=2)
    b = a.copy()
    b[:, :6] = np.roll(b[:, :6], 1, axis=2)
    groups = np.arange(150) // 2
    for metric in ("accuracy", "nll"):
        forth = paired_difference(labels, a, b, groups, metric, resamples=200)
        back = paired_difference(labels, b, a, groups, metric, resamples=200)
        assert [back[key] for key in ("value", "low", "high")] == pytest.approx(
            [-forth[key] for key in ("value", "high", "low")]
        )
        alone = [bootstrap(labels, p, groups, resamples=200)[metric] for p in (a, b)]
        assert forth["value"] == pytest.approx(alone[0]["value"] - alone[1]["value"])
        assert forth["high"] - forth["low"] < min(one["high"] - one["low"] for one in alone)
    assert paired_difference(labels, a, a, groups, resamples=50) == {"value": 0, "low": 0, "high": 0}


def numbers(seed: int, networks: int = 2, noise: float = 4.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ages of 60 subjects, and each network's predictions with their standard deviations."""
    random = np.random.default_rng(seed)
    truth = random.uniform(20, 90, 60)
    return truth, truth + noise * random.normal(size=(networks, 60)), random.uniform(1, 6, (networks, 60))


def test_classes_are_one_kind_of_what_can_be_measured() -> None:
    labels, p = answers(np.random.default_rng(8), 50, networks=2)
    groups = np.arange(50) // 2
    networks = [Judged(labels, one) for one in p]
    assert bootstrap_measured(networks, groups, resamples=60, seed=2) == bootstrap(labels, p, groups, resamples=60, seed=2)
    assert paired_difference_measured(networks[:1], networks, groups, "auc", resamples=60) == paired_difference(
        labels, p[:1], p, groups, "auc", resamples=60
    )


def test_numbers_have_intervals_by_the_plain_group_bootstrap() -> None:
    truth, predicted, std = numbers(0)
    groups = np.random.default_rng(0).integers(0, 20, 60)
    networks = [JudgedNumbers(truth, one, its_std) for one, its_std in zip(predicted, std, strict=True)]
    fast = bootstrap_measured(networks, groups, resamples=40, seed=7)
    assert tuple(fast) == NUMBER_METRICS + SPREAD_METRICS
    _, index = np.unique(groups.astype(str), return_inverse=True)
    counts = np.random.default_rng(7).multinomial(index.max() + 1, np.full(index.max() + 1, 1 / (index.max() + 1)), size=40)

    def plain(rows: np.ndarray) -> dict[str, float]:
        each = [regression_metrics(truth[rows], m[rows], s[rows]) for m, s in zip(predicted, std, strict=True)]
        return {name: float(np.mean([one[name] for one in each])) for name in fast}

    full, slow = plain(np.arange(60)), [plain(np.repeat(np.arange(60), count[index])) for count in counts]
    for name, found in fast.items():
        low, high = np.quantile([one[name] for one in slow], [0.025, 0.975])
        if name == "coverage_90":  # a share
            assert found["low"] < low < high < found["high"]
        else:
            assert list(found.values()) == pytest.approx([full[name], low, high]), name
    json.dumps(fast, allow_nan=False)


def test_the_better_predictor_of_a_number_is_told_apart() -> None:
    (truth, good, _), (_, poor, _) = numbers(1, networks=3), numbers(1, networks=2, noise=12.0)
    a, b = ([JudgedNumbers(truth, one) for one in method] for method in (good, poor))
    found = paired_difference_measured(a, b, np.arange(60), "mae", resamples=200)
    assert found["low"] < found["value"] < found["high"] < 0
    assert found["value"] == pytest.approx(np.abs(good - truth).mean(axis=1).mean() - np.abs(poor - truth).mean(axis=1).mean())


def test_networks_that_cannot_be_compared_are_refused() -> None:
    truth, predicted, std = numbers(2)
    one, shorter = JudgedNumbers(truth, predicted[0]), JudgedNumbers(truth[1:], predicted[0, 1:])
    with pytest.raises(ValueError, match="no network to judge"):
        bootstrap_measured([], np.arange(60))
    with pytest.raises(ValueError, match=r"answer for \[60, 59\] rows"):
        bootstrap_measured([one, shorter], np.arange(60))
    with pytest.raises(ValueError, match="by the same metrics"):
        bootstrap_measured([one, JudgedNumbers(truth, predicted[1], std[1])], np.arange(60))
    with pytest.raises(ValueError, match="do not fit 59 rows"):
        paired_difference_measured([one], [shorter], np.arange(60), "mae")
    with pytest.raises(ValueError, match="'nll' is unknown"):
        paired_difference_measured([JudgedNumbers(truth, predicted[1], std[1])], [one], np.arange(60), "nll")


def test_seed_interval_is_student_t() -> None:
    found = seed_interval([0.80, 0.82, 0.84])
    assert found["mean"] == pytest.approx(0.82)
    assert found["sd"] == pytest.approx(0.02)
    assert found["high"] - found["mean"] == pytest.approx(4.302653 * 0.02 / 3**0.5, rel=1e-6)
    assert found["mean"] - found["low"] == pytest.approx(found["high"] - found["mean"])
    assert seed_interval([0.5]) == {"mean": 0.5, "low": None, "high": None, "sd": None, "n": 1}
    assert seed_interval([1, 2, 3, 4], level=0.5)["low"] > seed_interval([1, 2, 3, 4])["low"]
    for wrong in ([], [0.5, float("nan")]):
        with pytest.raises(ValueError, match="leave undefined ones out"):
            seed_interval(wrong)


def test_wrong_input_is_named() -> None:
    labels, p = answers(np.random.default_rng(7), 6)
    with pytest.raises(ValueError, match=r"give p\[None\]"):
        bootstrap(labels, p[0], np.arange(6))
    with pytest.raises(ValueError, match="one group per row"):
        bootstrap(labels, p, np.arange(5))
    with pytest.raises(ValueError, match=r"must be \[networks, images\] = \(1, 6\)"):
        bootstrap(labels, p, np.arange(6), np.zeros(6))
    with pytest.raises(ValueError, match="at least one, better 1000"):
        bootstrap(labels, p, np.arange(6), resamples=0)
    with pytest.raises(ValueError, match="did you mean 'accuracy'"):
        paired_difference(labels, p, p, np.arange(6), metric="acuracy")


def test_a_mean_comes_with_an_interval_over_whole_groups() -> None:
    random = np.random.default_rng(0)
    values, groups = random.normal(size=200), np.arange(200)
    alone = mean_interval(values, groups)
    assert alone["value"] == pytest.approx(values.mean())
    assert alone["low"] < alone["value"] < alone["high"]
    together = mean_interval(np.repeat(values, 5), np.repeat(groups, 5))
    assert together == pytest.approx(alone)  # five copies of a subject tell no more than one
    assert mean_interval([1.0, np.nan, 3.0], ["a", "b", "c"]) == mean_interval([1.0, 3.0], ["a", "c"])
    assert mean_interval([1.0, 3.0], ["a", "a"]) == {"value": 2.0, "low": None, "high": None}
    assert mean_interval([np.nan], ["a"]) == {"value": None, "low": None, "high": None}
