"""Groups in which two arms do not differ say nothing of which is better, and few that do say little."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from drifa.experiments.answers import Answers, CaseMeans
from drifa.experiments.telling import ENOUGH, least_p, telling_groups


def volumes(dice: np.ndarray, groups: np.ndarray) -> Answers:
    rows = pd.DataFrame({"subject": np.arange(len(dice)).astype(str), "group": groups, "dice": dice})
    return Answers(rows["subject"].to_numpy(), groups, rows, CaseMeans({"dice": dice}))


@pytest.fixture(scope="module")
def groups() -> np.ndarray:
    return np.repeat([f"p{number}" for number in range(40)], 3)


def test_arms_that_answer_alike_are_told_apart_by_none(groups: np.ndarray) -> None:
    same = volumes(np.linspace(0, 1, len(groups)), groups)
    assert telling_groups([same, same], [same, same], ["dice"]) == {"dice": set()}
    assert least_p(0) == 1


@pytest.mark.parametrize("count", [1, 4, 10])
def test_the_groups_are_those_in_which_the_metric_differs(groups: np.ndarray, count: int) -> None:
    chosen = {f"p{number}" for number in range(3, 3 + count)}
    one = np.linspace(0, 1, len(groups))
    other = np.where(np.isin(groups, list(chosen)), one / 2, one)
    swapped = other.copy()
    swapped[:3] = other[2::-1]  # in another order within a group: the same to any mean
    assert telling_groups([volumes(one, groups)], [volumes(other, groups)], ["dice"])["dice"] == chosen
    assert telling_groups([volumes(one, groups)], [volumes(swapped, groups)], ["dice"])["dice"] == chosen


def test_groups_of_any_seed_count(groups: np.ndarray) -> None:
    one = volumes(np.linspace(0, 1, len(groups)), groups)
    others = [volumes(np.where(groups == name, 0.5, one.rows["dice"]), groups) for name in ("p7", "p9")]
    assert telling_groups([one, one], others, ["dice"])["dice"] == {"p7", "p9"}


def test_of_many_no_more_are_looked_for_than_are_needed() -> None:
    groups = np.arange(3000).astype(str)
    one, other = (volumes(np.random.default_rng(seed).random(3000), groups) for seed in (0, 1))
    assert ENOUGH <= len(telling_groups([one], [other], ["dice"])["dice"]) < 3000


@pytest.mark.parametrize("count", [2, 5, 8])
def test_no_exchange_of_whole_groups_has_a_smaller_p(count: int) -> None:
    differences = np.random.default_rng(0).random(count)  # all of one sign: the clearest case there is
    sums = [np.dot(signs, differences) for signs in product((-1, 1), repeat=count)]
    assert np.mean(np.abs(sums) >= differences.sum() - 1e-12) == least_p(count)


def test_a_metric_that_is_undefined_is_left_out(groups: np.ndarray) -> None:
    one = volumes(np.full(len(groups), np.nan), groups)
    assert telling_groups([one], [one], ["dice", "hd95"]) == {}
    other = volumes(np.linspace(0, 1, len(groups)), groups)
    last = volumes(np.where(groups == "p7", 0.5, other.rows["dice"]), groups)
    assert telling_groups([one, other], [one, last], ["dice"]) == {"dice": {"p7"}}
