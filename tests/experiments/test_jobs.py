"""A job that was stopped is continued, under its own settings only; its record is the last file written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from drifa.experiments.comparison import Comparison
from drifa.experiments.jobs import JobRecord, Outcome, finished, run_job
from drifa.experiments.launch import placed
from drifa.experiments.plan import Plan

Done = tuple[Path, list[Outcome], Comparison]


def test_a_training_that_was_stopped_is_continued(plan: Plan, done: Done, tmp_path: Path) -> None:
    folder, job = tmp_path / "out", placed(plan.jobs[1], tmp_path / "out")
    shutil.copytree(done[0] / "jobs" / job.name, folder / "jobs" / job.name)
    run = folder / "jobs" / job.name
    for name in ("job.json", "metrics.json", "members/0/config.json"):  # as a kill before the end of training leaves it
        (run / name).unlink()
    assert finished(folder, job) is None
    assert run_job(job, folder, quiet=True) == Outcome(job.name, "done")
    was = json.loads((done[0] / "jobs" / job.name / "metrics.json").read_text())
    assert json.loads((run / "metrics.json").read_text()) == was
    assert run_job(job, folder, quiet=True) == Outcome(job.name, "finished")


def test_a_training_of_other_settings_is_not_continued(plan: Plan, done: Done, tmp_path: Path) -> None:
    folder, job = tmp_path / "out", placed(plan.jobs[1], tmp_path / "out")
    shutil.copytree(done[0] / "jobs" / job.name, folder / "jobs" / job.name)
    (folder / "jobs" / job.name / "job.json").unlink()
    outcome = run_job(replace(job, key="another"), folder, quiet=True)
    assert outcome.state == "failed"
    assert "other settings" in outcome.reason


def test_the_record_says_what_the_network_costs(plan: Plan, done: Done) -> None:
    for job in plan.jobs:
        record = JobRecord.read(done[0] / "jobs" / job.name / "job.json")
        assert record is not None
        assert (record.key, record.split, record.seed) == (job.key, job.split, job.seed)
        assert record.parameters > 0
        assert record.macs
        assert record.seconds > 0
