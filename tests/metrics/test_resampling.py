"""Weightings draw whole groups with replacement, as many as there are."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.metrics.regression import JudgedNumbers
from drifa.metrics.resampling import group_index, weightings

TRUTH = np.arange(6.0)
NETWORK = JudgedNumbers(TRUTH, TRUTH + 1)
GROUPS = ["b", "a", "a", "c", "c", "c"]


def test_rows_of_a_group_are_drawn_together_and_as_many_groups_as_there_are() -> None:
    index = group_index(GROUPS, [NETWORK])
    drawn = np.concatenate(list(weightings(index, 50, seed=0)))
    assert drawn.shape == (50, 6)
    for rows in ([1, 2], [3, 4, 5]):
        assert (drawn[:, rows] == drawn[:, rows[:1]]).all()
    assert (drawn[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_the_seed_alone_decides_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    index = group_index(GROUPS, [NETWORK])
    whole, other = (np.concatenate(list(weightings(index, 50, seed))) for seed in (1, 2))
    assert not np.array_equal(whole, other)
    monkeypatch.setattr("drifa.metrics.resampling.BLOCK", 12)
    blocks = list(weightings(index, 50, 1))
    assert len(blocks) == 25
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 6 rows"):
        group_index(GROUPS[:-1], [NETWORK])
    with pytest.raises(ValueError, match="0 resamples make no interval"):
        next(weightings(group_index(GROUPS, [NETWORK]), 0, 0))
