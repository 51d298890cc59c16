"""Shares of each class are those of the answers, differences are the first arm's minus the other's on the same resamples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drifa.experiments.answers import Answers, CaseMeans
from drifa.experiments.by_class import class_results
from drifa.experiments.comparison import Comparison
from drifa.experiments.tables import class_rows, markdown
from tests.experiments.test_judge import Done

LABELS = np.array(["a"] * 6 + ["b"] * 4)


def answers(right: list[bool]) -> dict[str, Answers]:
    rows = pd.DataFrame({"label": LABELS, "correct": right})
    cases = np.arange(len(right)).astype(str)
    return {"t": Answers(cases, cases, rows, CaseMeans({"x": np.ones(len(right))}), ("a", "b", "c"))}


def test_shares_are_counted_over_the_cases_of_a_class() -> None:
    one = [True] * 3 + [False] * 3 + [True] * 4
    other = [False] * 6 + [True] * 2 + [False] * 2
    found = class_results({"first": {0: answers(one), 1: answers(other)}, "second": {0: answers(other)}}, 200)
    by_place = {(each.name, each.arm): each for each in found}
    assert by_place.keys() == {(name, arm) for name in "ab" for arm in ("first", "second")}  # of 'c' there is no case
    assert [by_place[name, "first"].value for name in "ab"] == [0.25, 0.75]
    assert [by_place[name, "second"].value for name in "ab"] == [0, 0.5]
    assert [by_place[name, "second"].cases for name in "ab"] == [6, 4]
    # Over the seed that both have.
    told = [by_place[name, "second"].difference or {} for name in "ab"]
    assert [one["value"] for one in told] == [0.5, 0.5]
    assert all(one["low"] <= one["value"] <= one["high"] for one in told)
    assert by_place["a", "first"].difference is None


def test_arms_that_answer_alike_do_not_differ() -> None:
    same = answers([True, False] * 5)
    found = class_results({"first": {0: same}, "second": {0: same}}, 200)
    assert all(
        [one.difference[key] for key in ("value", "low", "high")] == [0, 0, 0] for one in found if one.difference is not None
    )


def test_a_class_of_one_group_has_no_interval() -> None:
    right, wrong = answers([True] * 10), answers([False] * 10)
    for seed in (right, wrong):
        seed["t"].groups[LABELS == "b"] = "one patient"
    found = class_results({"first": {0: right}, "second": {0: wrong}}, 200)
    told = {one.name: one.difference for one in found if one.difference is not None}
    assert {name: one["value"] for name, one in told.items()} == {"a": 1, "b": 1}
    assert told["a"]["low"] is not None
    assert told["b"]["low"] is None


def test_before_the_first_arm_is_done_shares_stand_alone() -> None:
    found = class_results({"first": {}, "second": {0: answers([True] * 10)}}, 200)
    assert {one.arm for one in found} == {"second"}
    assert all(one.difference is None for one in found)


def test_the_mean_share_is_the_balanced_accuracy(done: Done) -> None:
    found: Comparison = done[2]
    for result in found.results:
        if result.metric == "balanced_accuracy":
            own = [one.value for one in found.classes if (one.task, one.arm) == (result.task, result.arm)]
            assert np.mean(own) == pytest.approx(result.mean)
    arms, rows = class_rows(found, "depth")
    assert arms == [arm.name for arm in found.arms]
    assert sum(cases for _, cases, _ in rows) == found.tasks["depth"].cases
    assert "## Class by class" in markdown(found)
