"""The sentence follows from the numbers: nothing is better whose interval holds 0, or that does not survive its family."""

from __future__ import annotations

from itertools import product

import pytest

from drifa.experiments.verdict import amount, judge, words_of, written
from drifa.metrics.differences import Difference


def difference(value: float | None, low: float | None, high: float | None) -> Difference:
    return {"value": value, "low": low, "high": high, "se": 0.01, "p": 0.01, "detectable": 0.028}


def test_never_better_without_an_interval_that_excludes_0() -> None:
    for low, high, adjusted in product((-0.2, -0.01, 0.0, 0.01), (-0.01, 0.0, 0.01, 0.2), (None, 0.01, 0.2)):
        if low > high:
            continue
        found, sentence = judge("a", "b", "t", "accuracy", "classes", difference((low + high) / 2, low, high), {}, adjusted)
        told = (low > 0 or high < 0) and adjusted != 0.2
        assert (found != "nothing") == told == ("better" in sentence)
        assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("metric", "value", "winner"), [("accuracy", 0.1, "a"), ("accuracy", -0.1, "b"), ("nll", 0.1, "b"), ("nll", -0.1, "a")]
)
def test_the_better_side_is_that_of_the_metric(metric: str, value: float, winner: str) -> None:
    own = difference(value, value - 0.05, value + 0.05)
    found, sentence = judge("one", "two", "t", metric, "classes", own, {"0": value, "1": value, "2": value})
    assert found == winner
    assert sentence.startswith(f"{'one' if winner == 'a' else 'two'} is better")


def test_a_metric_without_a_better_side_is_higher_or_lower() -> None:
    assert judge("a", "b", "t", "coverage_90", "number", difference(0.1, 0.05, 0.2), {})[0] == "higher"


def test_seeds_that_disagree_are_told() -> None:
    own = difference(0.1, 0.05, 0.15)
    assert "1 of 3 seeds say otherwise" in judge("a", "b", "t", "accuracy", "classes", own, {"0": 0.2, "1": -0.1, "2": 0.2})[1]
    assert "one seed" in judge("a", "b", "t", "accuracy", "classes", own, {"0": 0.1})[1]


@pytest.mark.parametrize(("groups", "told"), [(0, False), (1, False), (5, False), (6, True), (None, True)])
def test_a_difference_in_few_groups_is_none(groups: int | None, told: bool) -> None:
    own = difference(0.1, 0.05, 0.15)
    for adjusted in (None, 0.01):
        found, sentence = judge("a", "b", "t", "accuracy", "classes", own, {"0": 0.1}, adjusted, groups=groups)
        assert (found == "a") == told
        assert ("of the test set only" in sentence) == (not told)


def test_no_interval_no_verdict() -> None:
    assert "can be told" in judge("a", "b", "t", "accuracy", "classes", difference(0.1, None, None), {})[1]


def test_nothing_found_comes_with_what_could_have_been() -> None:
    assert "about 2.8 points" in judge("a", "b", "t", "accuracy", "classes", difference(0.0, -0.1, 0.1), {})[1]


def test_regions_end_the_names_of_their_metrics() -> None:
    assert words_of("hd95_WT", "regions").style == "mm"
    assert words_of("dice_present_WT", "regions").label == words_of("dice_present", "regions").label


def test_shares_are_written_in_points() -> None:
    assert [written(value, "share") for value in (0.1234, -0.05, None)] == ["+12.3", "-5.0", "–"]
    assert written(0.5, "number", sign=False) == "0.500"


def test_an_amount_has_its_unit_and_none_has_none() -> None:
    assert [amount(value, "share") for value in (0.1234, None)] == ["+12.3 points", "–"]
    assert amount(3, "unit", "years", sign=False) == "3 years"


def test_answers_that_never_vary_promise_no_power() -> None:
    never: Difference = {**difference(0.0, 0.0, 0.0), "se": 0.0, "p": 1.0, "detectable": None}
    found, sentence = judge("a", "b", "t", "accuracy", "classes", never, {"0": 0.0})
    assert found == "nothing"
    assert "could have shown one of about" not in sentence
    assert "same in every resample" in sentence
