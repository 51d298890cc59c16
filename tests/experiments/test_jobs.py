"""A job that was stopped is continued, under its own settings only; its record is the last file written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from drifa.experiments.comparison import Comparison
from drifa.experiments.jobs import JobRecord, Outcome, _take_over, finished, run_job
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
        assert record.memory is None or record.memory > 4 * record.parameters


def test_a_network_that_another_experiment_has_is_taken_over(plan: Plan, done: Done, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    job = replace(placed(plan.jobs[1], folder), name="renamed-s0", arm="renamed")
    # What a kill left of a copy is no hindrance.
    (folder / "jobs" / ".renamed-s0.copy").mkdir(parents=True)
    assert run_job(job, folder, quiet=True, others=[tmp_path / "none", done[0]]) == Outcome("renamed-s0", "done")
    own, their = folder / "jobs" / job.name, done[0] / "jobs" / plan.jobs[1].name
    weights = Path("members", "0", "model.safetensors")
    assert (own / weights).stat().st_mtime == (their / weights).stat().st_mtime  # copied, not trained
    record, was = finished(folder, job), finished(done[0], plan.jobs[1])
    assert record == replace(was, name="renamed-s0", arm="renamed")
    assert sorted(path.name for path in (folder / "jobs").iterdir()) == [job.name]
    # Another network is not.
    assert not _take_over(replace(job, name="other", key="another"), folder, [done[0]])
