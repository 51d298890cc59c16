"""Metrics of numbers: they agree with scikit-learn and SciPy, weights repeat rows, and only errors have a unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from drifa.metrics.regression import NUMBER_METRICS, SPREAD_METRICS, JudgedNumbers, regression_metrics

IN_UNITS = ("mae", "rmse", "mae_at_80")


def answers(seed: int, count: int = 60, decimals: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ages, somewhat informative predictions, and standard deviations with ties."""
    random = np.random.default_rng(seed)
    truth = random.uniform(20, 90, count)
    std = np.round(random.uniform(1, 9, count), decimals)
    return truth, truth + std * random.normal(size=count), std


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn_and_scipy(seed: int) -> None:
    truth, predicted, std = answers(seed)
    ours = regression_metrics(truth, predicted, std)
    assert tuple(ours) == NUMBER_METRICS + SPREAD_METRICS
    expected = {
        "mae": reference.mean_absolute_error(truth, predicted),
        "rmse": reference.root_mean_squared_error(truth, predicted),
        "r2": reference.r2_score(truth, predicted),
        "pearson": stats.pearsonr(truth, predicted).statistic,
        "nll": -stats.norm.logpdf(truth, predicted, std).mean(),
        "coverage_90": np.mean([abs(t - p) <= 1.645 * s for t, p, s in zip(truth, predicted, std, strict=True)]),
    }
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, abs=1e-12), name


def test_the_surest_80_percent_by_hand() -> None:
    ours = regression_metrics([0, 0, 0, 0, 0], [1, 2, 3, 4, 10], [1, 1, 2, 3, 4])
    assert ours["mae_at_80"] == pytest.approx((1 + 2 + 3 + 4) / 4)
    # Rows 3, 4 and 5 are equally sure and share the last two of four places.
    assert regression_metrics([0] * 5, [1, 2, 3, 4, 11], [1, 1, 2, 2, 2])["mae_at_80"] == pytest.approx((1 + 2 + 2 * 6) / 4)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), decimals=st.sampled_from([0, 6]))
def test_weights_are_repetition_and_order_is_nothing(seed: int, decimals: int) -> None:
    arrays = answers(seed, 25, decimals)
    random = np.random.default_rng(seed)
    weights = random.integers(0, 4, 25)
    weights[0] += 1
    rows = random.permutation(np.repeat(np.arange(25), weights))
    truth, predicted, std = (values[rows] for values in arrays)
    assert regression_metrics(*arrays, weights) == pytest.approx(
        regression_metrics(truth, predicted, std), abs=1e-9, nan_ok=True
    )


def test_many_weightings_at_once_are_each_alone() -> None:
    arrays = answers(1, 30)
    weights = np.random.default_rng(1).integers(0, 3, (7, 30))
    together = JudgedNumbers(*arrays).measure(weights.astype(np.float64))
    for row, counts in enumerate(weights):
        assert {name: values[row] for name, values in together.items()} == pytest.approx(regression_metrics(*arrays, counts))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_another_unit_changes_only_what_has_a_unit(seed: int, scale: float, shift: float) -> None:
    truth, predicted, std = answers(seed)
    before = regression_metrics(truth, predicted, std)
    after = regression_metrics(shift + scale * truth, shift + scale * predicted, scale * std)
    expected = {name: value * scale if name in IN_UNITS else value for name, value in before.items()}
    expected["nll"] += np.log(scale)
    # A truth on the edge of its interval may fall either way.
    assert abs(after.pop("coverage_90") - expected.pop("coverage_90")) <= 1 / 60
    assert after == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_small_spread_far_from_zero_is_kept() -> None:
    truth, predicted, std = (np.round(values * 2**20) / 2**20 for values in answers(0, decimals=0))
    near, far = (regression_metrics(truth + shift, predicted + shift, std) for shift in (0, 2**30))
    assert far == pytest.approx(near, rel=1e-9)


def test_a_perfect_answer() -> None:
    truth = [30.0, 40.0, 65.0]
    ours = regression_metrics(truth, truth, [1.0, 2.0, 3.0])
    assert [ours[name] for name in ("mae", "rmse", "r2", "pearson", "coverage_90", "mae_at_80")] == pytest.approx(
        [0, 0, 1, 1, 1, 0]
    )


def test_what_r2_and_correlation_say_of_poor_answers() -> None:
    truth = np.array([1.0, 2.0, 6.0])
    assert regression_metrics(truth, np.full(3, truth.mean()))["r2"] == pytest.approx(0)
    assert regression_metrics(truth, -truth)["r2"] < -1
    assert regression_metrics(truth, -truth)["pearson"] == -1
    assert regression_metrics(truth, 10 * truth + 3)["pearson"] == 1


def test_constant_numbers_have_no_correlation() -> None:
    # 0.1 is not what a mean of several 0.1 gives in floating point.
    same, other = np.full(7, 0.1), np.arange(7.0)
    ours = regression_metrics(same, other)
    assert np.isnan([ours["r2"], ours["pearson"]]).all()
    assert ours["mae"] > 0
    assert np.isnan(regression_metrics(other, same)["pearson"])
    assert regression_metrics(other, same)["r2"] < 0
    # Constant only in what was drawn.
    drawn = regression_metrics([0.1, 0.1, 0.1, 9.0], [1.0, 2.0, 3.0, 4.0], weights=[3, 1, 1, 0])
    assert np.isnan([drawn["r2"], drawn["pearson"]]).all()
    assert np.isnan(regression_metrics([3.0], [3.0])["pearson"])


def test_an_honest_normal_distribution_is_covered_and_scored_best() -> None:
    random = np.random.default_rng(0)
    std = random.uniform(0.5, 2, 20_000)
    truth = std * random.normal(size=20_000)
    found = {factor: regression_metrics(truth, np.zeros(20_000), factor * std) for factor in (0.5, 1.0, 2.0)}
    assert found[1.0]["coverage_90"] == pytest.approx(0.9, abs=0.01)
    assert found[0.5]["coverage_90"] < 0.9 < found[2.0]["coverage_90"]
    assert found[1.0]["nll"] < min(found[0.5]["nll"], found[2.0]["nll"])
    assert found[1.0]["mae_at_80"] < found[1.0]["mae"]


def test_without_a_standard_deviation_its_metrics_are_left_out() -> None:
    truth, predicted, std = answers(2)
    alone = regression_metrics(truth, predicted)
    assert tuple(alone) == NUMBER_METRICS
    assert alone == pytest.approx({name: regression_metrics(truth, predicted, std)[name] for name in NUMBER_METRICS})


@pytest.mark.parametrize(
    ("truth", "predicted", "std", "message"),
    [
        ([], [], None, r"truth of shape \(0,\)"),
        ([[1.0]], [[1.0]], None, "truth of shape"),
        ([1.0, np.nan], [1.0, 2.0], None, "leave out subjects without one"),
        ([1.0, 2.0], [1.0], None, "predicted of shape .* each of the 2 subjects"),
        ([1.0, 2.0], [1.0, np.inf], None, "predicted .* finite"),
        ([1.0, 2.0], [1.0, 2.0], [1.0], "std of shape .* each of the 2 subjects"),
        ([1.0, 2.0], [1.0, 2.0], [1.0, 0.0], "std 0.0 in row 1 is not above 0"),
    ],
)
def test_wrong_input_is_named(truth: list[float], predicted: list[float], std: list[float] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regression_metrics(truth, predicted, std)


def test_wrong_weights_are_named() -> None:
    for weights in ([1], [0.5, 1], [0, 0], [-1, 2], [np.nan, 1]):
        with pytest.raises(ValueError, match="weights of shape"):
            regression_metrics([1.0, 2.0], [1.0, 2.0], weights=weights)
