"""The sets are what they claim: same test, same size, no sibling in the clean one, and the exposed list holds who has one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from drifa.data import Study, split
from drifa.data.study.subjects import Subjects
from drifa.errors import DrifaError
from drifa.experiments.leakage_sets import CLEAN, Sets, check_columns, column_of, paired_sets, shares_in, with_sets
from tests.studies import siblings

SHARES = (0.1, 0.5, 1.0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return split(siblings(tmp_path_factory.mktemp("siblings") / "study"), fractions=(0.7, 0.1, 0.2))[0]


@pytest.fixture(scope="module")
def sets(study: Study) -> Sets:
    return paired_sets(study.subjects(), SHARES)


def groups(subjects: Subjects, rows: np.ndarray) -> set[str]:
    return set(subjects.group[rows].tolist())


def test_the_clean_set_has_no_sibling_of_a_test_subject(study: Study, sets: Sets) -> None:
    subjects = study.subjects()
    test, val, clean = (groups(subjects, rows) for rows in (sets.test, sets.val, sets.clean))
    assert not test & (val | clean)
    assert not val & clean


@pytest.mark.parametrize("share", SHARES)
def test_leaky_sets_differ_by_siblings_alone(study: Study, sets: Sets, share: float) -> None:
    subjects, leaky = study.subjects(), sets.leaky[share]
    assert len(leaky) == len(sets.clean) == len(set(leaky.tolist()))
    assert not np.isin(leaky, sets.test).any()
    assert set(leaky.tolist()) - set(sets.clean.tolist()) == set(sets.siblings[share].tolist())
    # Labels stay as they were, so that only the leak differs.
    for task in subjects.tasks:
        counts = [np.bincount(subjects.targets[task][rows], minlength=9).tolist() for rows in (leaky, sets.clean)]
        assert counts[0] == counts[1]


@pytest.mark.parametrize("share", SHARES)
def test_the_exposed_are_the_test_subjects_with_a_sibling_in_training(study: Study, sets: Sets, share: float) -> None:
    subjects = study.subjects()
    in_training = np.isin(subjects.group[sets.test], list(groups(subjects, sets.leaky[share])))
    assert sets.exposed[share].tolist() == sets.test[in_training].tolist()


def test_a_larger_share_leaks_more_and_never_others(sets: Sets) -> None:
    for less, more in pairwise(SHARES):
        assert set(sets.siblings[less].tolist()) < set(sets.siblings[more].tolist())
    assert len(sets.exposed[1.0]) == len(sets.test)


def test_the_study_holds_all_sets_as_columns(study: Study, sets: Sets, tmp_path: Path) -> None:
    with_sets(study, sets).save(tmp_path)
    for name, train in (("clean", sets.clean), ("share-0.5", sets.leaky[0.5])):
        found = split(Study.load(tmp_path), "column", column=name)[0].subjects()
        assert found.in_split("train").tolist() == train.tolist()
        assert found.in_split("test").tolist() == sets.test.tolist()


def test_what_cannot_leak_is_told(study: Study) -> None:
    with pytest.raises(DrifaError, match=r"--share 1\.5"):
        paired_sets(study.subjects(), [1.5])
    lone = study.table.assign(group=study.table["subject"])
    subjects = Study(**{**vars(study), "table": lone}).subjects()
    with pytest.raises(DrifaError, match="nothing can leak"):
        paired_sets(subjects, [1.0])


def test_further_shares_leave_the_sets_as_they_are_and_another_split_does_not(study: Study, tmp_path: Path) -> None:
    with_sets(study, paired_sets(study.subjects(), [0.5])).save(tmp_path)
    begun = Study.load(tmp_path)
    assert shares_in(begun) == [0.5]
    check_columns(begun, with_sets(study, paired_sets(study.subjects(), SHARES)), [CLEAN, column_of(0.5)], tmp_path)
    other = split(study, fractions=(0.7, 0.1, 0.2), seed=1)[0]
    with pytest.raises(DrifaError, match="another study or split"):
        check_columns(begun, with_sets(other, paired_sets(other.subjects(), SHARES)), [CLEAN, column_of(0.5)], tmp_path)
