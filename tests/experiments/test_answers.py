"""Means over cases and over tasks are ordinary means, under any weighting of the cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drifa.experiments.answers import CaseMeans, MeanOverTasks, _volumes
from drifa.metrics.classification import Judged


def test_means_leave_out_what_is_undefined() -> None:
    values, weights = np.array([0.2, np.nan, 0.8, 0.5]), np.array([[1.0, 1, 1, 1], [0, 3, 2, 0], [0, 1, 0, 0]])
    found = CaseMeans({"dice": values}).measure(weights)["dice"]
    assert found[:2] == pytest.approx([0.5, 0.8])
    assert np.isnan(found[2])


def test_volumes_are_one_row_per_subject_and_task() -> None:
    head = {"subject": list("aabb"), "group": "g", "task": "t", "mode": "deterministic", "region": ["WT", "ET"] * 2}
    table = pd.DataFrame({**head, "dice": [0.2, 0.4, 1.0, 0.0], "hd95": [1.0, np.nan, 3.0, np.nan]})
    rows = _volumes(pd.concat([table, table.assign(mode="mc", dice=0.0)]))
    assert rows["subject"].tolist() == ["a", "b"]
    assert rows["dice"].tolist() == pytest.approx([0.3, 0.5])
    assert rows["dice_ET"].tolist() == [0.4, 0.0]
    assert rows["hd95_WT"].tolist() == [1.0, 3.0]
    assert rows["hd95_ET"].isna().all()


def test_a_mean_over_tasks_weighs_tasks_and_not_cases() -> None:
    few, many = CaseMeans({"dice": np.array([1.0])}), CaseMeans({"dice": np.zeros(9), "hd95": np.ones(9)})
    both = MeanOverTasks([few, many])
    assert len(both) == 10
    assert both.measure(np.ones((1, 10))) == {"dice": pytest.approx([0.5])}


def test_a_resample_without_a_case_of_a_task_says_nothing_of_it() -> None:
    first, second = CaseMeans({"dice": np.array([0.5, 1.0])}), Judged([0, 1], [[0.9, 0.1], [0.2, 0.8]])
    both = MeanOverTasks([second, second])
    found = both.measure(np.array([[1.0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]))["accuracy"]
    assert found[0] == 1.0
    assert np.isnan(found[1:]).all()
    assert MeanOverTasks([first, first]).measure(np.ones((1, 4)))["dice"][0] == pytest.approx(0.75)
