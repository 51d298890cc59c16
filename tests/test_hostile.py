"""Whatever a study, a run or a file holds, a verb ends in an answer or in one sentence, and leaves nothing half-done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile import inputs, try_all, valid

#: Every so many of the inputs is tried by the fast test.
EVERY = 13


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return valid(tmp_path_factory.mktemp("valid"))


def test_there_are_many_inputs_of_different_names_and_the_same_for_a_seed(base: Path) -> None:
    names = [one.name for one in inputs(base)]
    assert len(names) == len(set(names)) >= 400
    assert [(one.name, one.words) for one in inputs(base)] == [(one.name, one.words) for one in inputs(base)]


def test_some_hostile_inputs_end_in_an_answer_or_in_a_sentence(base: Path) -> None:
    found = try_all(base, lambda number: number % EVERY == 0)
    assert not [one for one in found if one.fault]
    assert {one.answer for one in found} == {"answered", "refused"}


@pytest.mark.slow
def test_all_hostile_inputs_end_in_an_answer_or_in_a_sentence(base: Path) -> None:
    assert not [one for one in try_all(base) if one.fault]
