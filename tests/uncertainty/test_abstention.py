"""Abstention: the promised risk, kept over simulated patients, and refused where nobody could promise it."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from drifa.errors import DrifaError
from drifa.uncertainty.abstention import BARS, LAYS, Abstention, least_clean, upper_limit


@cache
def patients(count: int, seed: int, images: int = 4, waves: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Uncertainty, wrong and group of patients whose images resemble each other; with waves, doubt does not order errors."""
    random = np.random.default_rng(seed)
    group = np.arange(count).repeat(random.integers(1, images + 1, size=count))
    u = np.clip(random.random(count)[group] + 0.05 * random.normal(size=len(group)), 0, 1)
    rate = 0.12 + 0.1 * np.sin(25 * u) if waves else 0.5 * u**2
    luck = random.random(count)[group]  # of the patient: all images of one are wrong together
    return u, luck < rate, group


def risk_of(bar: float | None, waves: bool) -> float:
    """The true risk under a bar: one image of each of 200 000 new patients."""
    u, wrong, _ = patients(200_000, 99, images=1, waves=waves)
    return float(wrong[u <= (np.inf if bar is None else bar)].mean())


@pytest.mark.parametrize("waves", [False, True])
@pytest.mark.parametrize("target", [0.08, 0.12])
def test_the_realised_risk_exceeds_the_promised_one_no_more_often_than_stated(target: float, waves: bool) -> None:
    broken, turns = 0, 200
    for turn in range(turns):
        try:
            chosen = Abstention.fit(*patients(400, turn, waves=waves), target=target, confidence=0.8, seed=turn)
        except DrifaError:
            continue  # nothing was promised
        broken += risk_of(chosen.bar, waves) > target
    assert broken <= binom.ppf(0.995, turns, 0.2)
    if not waves:
        assert broken > 0  # the promise is no stricter than it says


def test_images_taken_for_patients_promise_more_than_they_keep() -> None:
    broken = {True: 0, False: 0}
    for turn in range(100):
        u, wrong, group = patients(100, turn, images=20)
        for by_group in broken:
            try:
                chosen = Abstention.fit(u, wrong, group if by_group else None, 0.1, seed=turn)
            except DrifaError:
                continue
            broken[by_group] += risk_of(chosen.bar, False) > 0.1
    assert broken[True] <= binom.ppf(0.995, 100, 0.1)
    assert broken[False] > binom.ppf(0.995, 100, 0.1)


def test_a_larger_target_keeps_at_least_as_many() -> None:
    u, wrong, group = patients(500, 1)
    kept = []
    for target in np.linspace(0.01, 0.6, 60):
        try:
            kept.append(Abstention.fit(u, wrong, group, target)(u))
        except DrifaError:
            kept.append(np.zeros(len(u), dtype=bool))
    assert all((more | ~fewer).all() for fewer, more in pairwise(kept))
    assert not kept[0].any()
    assert kept[-1].all()
    assert len({one.sum() for one in kept}) > 5


def test_the_promise_holds_for_a_bar_below_which_the_data_say_so() -> None:
    broken, turns = 0, 200
    for turn in range(turns):
        u, wrong, group = patients(400, turn, waves=True)
        most = float(np.quantile(u[~wrong], 0.6))  # of the same cases: the worst that a set's threshold could do
        try:
            chosen = Abstention.fit(u, wrong, group, 0.12, confidence=0.8, seed=turn, most=most)
        except DrifaError:
            continue
        assert chosen.bar is not None
        assert chosen.bar <= most
        broken += risk_of(chosen.bar, waves=True) > 0.12
    assert broken <= binom.ppf(0.995, turns, 0.2)
    with pytest.raises(DrifaError, match="go without an answer for another reason"):
        Abstention.fit(*patients(400, 0), 0.12, most=0.01)


def test_more_confidence_never_keeps_more() -> None:
    u, wrong, group = patients(500, 2)
    kept = [Abstention.fit(u, wrong, group, 0.1, confidence)(u).sum() for confidence in (0.5, 0.8, 0.9, 0.99)]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > kept[-1]


def test_equal_scores_are_kept_or_left_together() -> None:
    u, wrong, group = patients(600, 3)
    levels = np.round(u, 1)
    chosen = Abstention.fit(levels, wrong, group, 0.1)
    assert 0 < chosen(levels).mean() < 1
    assert all(len(set(chosen(levels)[levels == level])) == 1 for level in np.unique(levels))
    assert chosen.bar in levels
    # 0.1 + 0.2 is 0.3, in whatever order it was added up.
    assert chosen(np.array([chosen.bar + 1e-13])).all()
    everyone = Abstention.fit(np.zeros(len(u)), wrong, group, 0.5)
    assert everyone.bar is None
    assert everyone([1e9]).all()


def test_the_order_of_the_images_and_the_scale_of_the_score_do_not_matter() -> None:
    u, wrong, group = patients(300, 4)
    turned = np.random.default_rng(0).permutation(len(u))
    chosen = Abstention.fit(u, wrong, group, 0.12, seed=5)
    assert Abstention.fit(u[turned], wrong[turned], group[turned], 0.12, seed=5) == chosen
    scaled = Abstention.fit(100 * u - 3, wrong, group, 0.12, seed=5)
    np.testing.assert_array_equal(scaled(100 * u - 3), chosen(u))


def test_the_least_risk_named_is_the_least_that_can_be_promised() -> None:
    u, wrong, group = patients(200, 6)
    with pytest.raises(DrifaError, match="cannot be promised by 200 validation groups") as refused:
        Abstention.fit(u, wrong, group, 0.001)
    named = float(re.search(r"the least that can is ([\d.]+)", str(refused.value))[1])
    assert Abstention.fit(u, wrong, group, named).bound <= named
    with pytest.raises(DrifaError, match="cannot be promised"):
        Abstention.fit(u, wrong, group, named - 0.0011)


@pytest.mark.parametrize(("target", "confidence"), [(0.1, 0.9), (0.05, 0.8), (0.2, 0.99)])
def test_the_least_number_of_groups_without_an_error_is_enough_and_one_less_is_not(target: float, confidence: float) -> None:
    least = least_clean(target, confidence)
    assert upper_limit(0, least, confidence) <= target < upper_limit(0, least - 1, confidence)
    # All scores are equal, so that everything is under the only bar; a fifth lays the bars.
    count = next(n for n in range(least, 2 * least) if n - n // LAYS == least)
    Abstention.fit(np.zeros(count), np.zeros(count, dtype=bool), None, target, confidence)
    with pytest.raises(DrifaError, match=f"{least} without an error would do"):
        Abstention.fit(np.zeros(count - 2), np.zeros(count - 2, dtype=bool), None, target, confidence)


def test_the_limit_is_that_of_clopper_and_pearson() -> None:
    for errors, cases in ((0, 10), (3, 40), (39, 40)):
        expected = binomtest(errors, cases, alternative="less").proportion_ci(0.9, method="exact").high
        assert upper_limit(errors, cases, 0.9) == pytest.approx(expected)
    np.testing.assert_array_equal(upper_limit([0, 5], [0, 5], 0.9), [1, 1])


def test_a_record_says_what_it_was_fitted_on_and_survives_json() -> None:
    u, wrong, group = patients(400, 7)
    chosen = Abstention.fit(u, wrong, group, 0.1)
    assert chosen.groups == 320
    assert chosen.bound >= upper_limit(chosen.wrong, chosen.kept, 0.9)
    again = Abstention.from_json(json.loads(json.dumps(chosen.to_json(), allow_nan=False)))
    assert again == chosen
    np.testing.assert_array_equal(again(u), chosen(u))
    with pytest.raises(DrifaError, match="the bound lies above the target"):
        Abstention.from_json(chosen.to_json() | {"target": 0.001})


def test_a_lower_least_share_reaches_stricter_targets_and_costs_no_others() -> None:
    u = np.linspace(0, 1, 2000)
    wrong = np.random.default_rng(8).random(2000) < 0.3 * u
    with pytest.raises(DrifaError, match="cannot be promised"):
        Abstention.fit(u, wrong, None, 0.05, least_kept=0.8)
    assert Abstention.fit(u, wrong, None, 0.05, least_kept=0.1)(u).sum() > 2000 / BARS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": 1.0}, "target risk 1.0 of an abstention must lie between 0 and 1"),
        ({"confidence": 0}, "confidence 0 of an abstention"),
        ({"least_kept": 0}, "least_kept 0 must lie above 0"),
        ({"wrong": np.zeros(3, dtype=bool)}, r"wrong of shape \(3,\) and type bool does not fit 4 rows"),
        ({"wrong": np.zeros(4)}, "type float64"),
        ({"uncertainty": [0, np.nan, 0, 0]}, "uncertainty is nan in row 1"),
        ({"uncertainty": np.zeros((4, 2))}, r"uncertainty of shape \(4, 2\) must be one number per case"),
        ({"uncertainty": ["a"] * 4}, "no list of numbers"),
        ({"groups": ["p"]}, "give one group per row"),
    ],
)
def test_refusals(change: dict, message: str) -> None:
    good = {"uncertainty": np.zeros(4), "wrong": np.zeros(4, dtype=bool), "groups": None, "target": 0.1}
    with pytest.raises(DrifaError, match=message):
        Abstention.fit(**good | change)


def test_no_case_at_all_promises_nothing() -> None:
    with pytest.raises(DrifaError, match="cannot be promised by 0 validation groups"):
        Abstention.fit([], np.zeros(0, dtype=bool), None, 0.1)
