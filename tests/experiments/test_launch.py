"""Jobs side by side are those of one after the other; one that fails ends no other, and one that is claimed is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.experiments.comparison import Comparison
from drifa.experiments.jobs import Outcome
from drifa.experiments.launch import _understood, as_text, from_text, placed, run_jobs
from drifa.experiments.plan import Plan
from drifa.files import locked

Done = tuple[Path, list[Outcome], Comparison]


def test_a_job_survives_the_way_to_its_process(plan: Plan, tmp_path: Path) -> None:
    job = placed(plan.jobs[0], tmp_path)
    assert from_text(as_text(job)) == job
    assert job.config.data.cache == str(tmp_path / "cache")
    assert plan.jobs[0].config.data.cache == ""


def test_one_thread_unless_the_configuration_says_how_many(plan: Plan, tmp_path: Path) -> None:
    job = plan.jobs[0]
    job.config.train.threads = 0
    try:
        assert placed(job, tmp_path, one_thread=True).config.train.threads == 1
        assert placed(job, tmp_path).config.train.threads == 0
        job.config.train.threads = 2
        assert placed(job, tmp_path, one_thread=True).config.train.threads == 2
    finally:
        job.config.train.threads = 1


def test_a_failed_or_claimed_job_ends_no_other(plan: Plan, tmp_path: Path) -> None:
    blocked = tmp_path / "jobs" / "concat-s0"
    blocked.mkdir(parents=True)
    (blocked / "mine.txt").write_text("here first")
    told = []
    with locked(tmp_path / "claims" / "drifa-s0", "busy"), locked(tmp_path / "claims" / "drifa-s1", "busy"):
        outcomes = run_jobs(
            plan, tmp_path, tell=lambda outcome, done, total: told.append((outcome.name, done, total)), quiet=True
        )
    assert [outcome.state for outcome in outcomes] == ["claimed", "failed", "claimed", "done"]
    assert str(blocked) in outcomes[1].reason
    assert told == [(outcome.name, number, 4) for number, outcome in enumerate(outcomes, start=1)]


def test_a_process_that_was_killed_is_told(plan: Plan) -> None:
    assert "signal 9" in _understood(plan.jobs[0], "", -9).reason
    assert "code 1" in _understood(plan.jobs[0], "Traceback", 1).reason


@pytest.mark.slow
def test_side_by_side_gives_what_one_after_the_other_gives(plan: Plan, done: Done, tmp_path: Path) -> None:
    from drifa.experiments.run import run_experiment

    outcomes, found = run_experiment(plan, tmp_path / "out", side_by_side=2, quiet=True)
    assert {outcome.state for outcome in outcomes} == {"done"}
    assert found.results == done[2].results
    assert found.contrasts == done[2].contrasts
