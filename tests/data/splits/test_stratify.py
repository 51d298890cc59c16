"""Dealing whole groups: classes keep their share, rare ones reach every side, and wanted sizes are met."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drifa.data.splits.stratify import Groups, deal, fit_sizes
from tests.data.splits.made import made_study


def groups_of(label: list[int], group: list[int]) -> Groups:
    subjects = made_study(label, group).subjects()
    return Groups(subjects, np.arange(len(subjects)))


def test_a_group_holds_what_its_subjects_are() -> None:
    # Group g0 has two subjects of class 0 and one of class 1, group g1 one of class 1.
    groups = groups_of([0, 0, 1, 1], [0, 0, 0, 1])
    assert (groups.of.tolist(), groups.size.tolist(), groups.classes) == ([0, 0, 0, 1], [3, 1], 2)
    of_classes = groups.kind < groups.classes
    held = set(zip(*(column[of_classes].tolist() for column in (groups.owner, groups.kind, groups.weight)), strict=True))
    assert held == {(0, 0, 2), (0, 1, 1), (1, 1, 1)}
    # Every subject counts once in each of: its class, the same within its modalities, its modalities, and both together.
    np.testing.assert_array_equal(np.bincount(groups.owner, groups.weight), 4 * groups.size)
    np.testing.assert_array_equal(np.diff(groups.bounds), np.bincount(groups.owner))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(9, 60), classes=st.integers(2, 4))
def test_a_class_of_as_many_groups_as_sides_reaches_every_side(seed: int, count: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    kind = np.minimum(random.geometric(0.5, count) - 1, classes - 1)
    kind[: 3 * 2] = np.repeat([0, 1], 3)
    kind = np.unique(kind, return_inverse=True)[1]
    size = random.integers(1, 4, count)
    group = np.repeat(np.arange(count), size)
    groups = groups_of(kind[group].tolist(), group.tolist())
    side = deal(groups, (0.6, 0.2, 0.2), random)
    of_group = np.empty(count, dtype=int)
    of_group[groups.of] = kind[group]
    for label in np.unique(kind):
        here = side[of_group == label]
        assert len(here) < 3 or set(here) == {0, 1, 2}


def test_equal_groups_are_dealt_in_exact_shares_and_a_side_without_a_share_gets_nothing() -> None:
    groups = groups_of([0, 1] * 50, list(range(100)))
    side = deal(groups, (0.7, 0.0, 0.3), np.random.default_rng(0))
    assert np.bincount(side, minlength=3).tolist() == [70, 0, 30]
    classes = np.array([0, 1] * 50)[np.argsort(groups.of)]
    assert [int((side[classes == label] == 0).sum()) for label in (0, 1)] == [35, 35]


@pytest.mark.parametrize("sizes", [(10, 10, 10), (28, 1, 1), (0, 15, 15)])
def test_wanted_sizes_are_met_exactly_by_groups_of_one(sizes: tuple[int, int, int]) -> None:
    groups = groups_of([0, 1, 2] * 10, list(range(30)))
    side = deal(groups, (0.5, 0.25, 0.25), np.random.default_rng(0))
    before = side.copy()
    assert np.bincount(fit_sizes(groups, side, sizes), minlength=3).tolist() == list(sizes)
    assert (side == before).all()  # a new array


def test_sizes_that_are_met_move_nothing_and_larger_groups_come_as_near_as_they_can() -> None:
    groups = groups_of([0, 0, 1, 1] * 5, np.repeat(np.arange(10), 2).tolist())
    side = np.array([0] * 6 + [1] * 2 + [2] * 2)
    assert (fit_sizes(groups, side, (12, 4, 4)) == side).all()
    # Pairs cannot make 11 and 5: the sides stay as they are, one off each.
    assert (fit_sizes(groups, side, (11, 5, 4)) == side).all()
    assert np.bincount(fit_sizes(groups, side, (10, 6, 4)), groups.size).tolist() == [10, 6, 4]
