"""Whatever a study, a run or a file holds, a verb ends in an answer or in one sentence, and leaves nothing half-done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kills
from tests.hostile import inputs, valid

#: Every so many of the inputs is tried by the fast test.
EVERY = 13


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return valid(tmp_path_factory.mktemp("valid"))


def test_there_are_many_inputs_of_different_names_and_the_same_for_a_seed(base: Path) -> None:
    names = [one.name for one in inputs(base)]
    assert len(names) == len(set(names)) >= 400
    assert [(one.name, one.words) for one in inputs(base)] == [(one.name, one.words) for one in inputs(base)]


def test_some_hostile_inputs_end_in_an_answer_or_in_a_sentence() -> None:
    found = _printed("-m", "tests.hostile", str(EVERY))
    assert not [one for one in found if one["fault"]]
    assert {one["answer"] for one in found} == {"answered", "refused"}


@pytest.mark.slow
def test_all_hostile_inputs_end_in_an_answer_or_in_a_sentence() -> None:
    assert not [one for one in _printed("-m", "tests.hostile", "1") if one["fault"]]


def test_some_verbs_that_are_killed_or_run_twice_leave_what_one_run_leaves() -> None:
    found = _printed("-m", "tests.kills", "2", "prepare", "prepare --overwrite", "split again")
    assert not [point for point in found if point["fault"]]
    assert sum(point["how"] == "killed" for point in found) >= 12
    assert {point["how"] for point in found} == {"killed", "twice"}


@pytest.mark.slow
def test_all_verbs_that_are_killed_or_run_twice_leave_what_one_run_leaves(tmp_path: Path) -> None:
    found = list(kills.try_verbs(kills.base(tmp_path)))
    assert not [point for point in found if point.fault]
    assert sum(point.how == "killed" for point in found) >= 150


def test_a_kill_that_a_second_run_does_not_mend_is_a_fault(tmp_path: Path) -> None:
    def append() -> None:
        with open("a.csv", "a", encoding="utf-8") as file:
            file.write("x\n")
        Path("b.csv").write_text("x")

    found = list(kills.points(tmp_path, kills.Verb("append", append)))
    assert next(point.fault for point in found if point.how == "killed").startswith("what is left differs")


def _printed(*words: str) -> list[dict[str, str]]:
    """The lines of JSON that a process of its own prints: memory is counted by process, and forking wants a fresh one."""
    done = subprocess.run(
        [sys.executable, *words], stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
