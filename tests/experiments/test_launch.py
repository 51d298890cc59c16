"""Jobs side by side are those of one after the other; one that fails ends no other, and one that is claimed is skipped."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from drifa.experiments.comparison import Comparison
from drifa.experiments.jobs import Outcome
from drifa.experiments.launch import _understood, as_text, from_text, placed, run_jobs
from drifa.experiments.plan import Job, Plan
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
            plan, tmp_path, tell=lambda outcome, done, total, left: told.append((outcome.name, done, total, left)), quiet=True
        )
    assert [outcome.state for outcome in outcomes] == ["claimed", "failed", "claimed", "done"]
    assert str(blocked) in outcomes[1].reason
    # What is left takes nobody knows how long until a job is done, and then nothing.
    left = [None, None, None, 0]
    assert told == [(outcome.name, number, 4, left[number - 1]) for number, outcome in enumerate(outcomes, start=1)]


#: Stands for python in a job's process: notes which GPU it may see, works for a moment, and says how it ended.
WORKER = r"""#!/bin/sh
name=$(sed 's/^{"name": "\([^"]*\)".*/\1/')
echo "begins $CUDA_VISIBLE_DEVICES" >>"$LOG"
sleep 0.2
echo "ends $CUDA_VISIBLE_DEVICES" >>"$LOG"
echo "{\"name\": \"$name\", \"state\": \"done\"}"
"""


def _seen_gpus(plan: Plan, folder: Path, monkeypatch: pytest.MonkeyPatch, side_by_side: int) -> list[tuple[str, str]]:
    """How processes began and ended, and with what, on a machine that seems to have the GPUs 3 and 5."""
    worker, log = folder / "worker.sh", folder / "log"
    worker.write_text(WORKER)
    worker.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(worker))
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert {outcome.state for outcome in run_jobs(plan, folder / "out", side_by_side)} == {"done"}
    return [(word, gpu) for word, _, gpu in (line.partition(" ") for line in log.read_text().splitlines())]


@pytest.mark.parametrize("side_by_side", [2, 4])
def test_jobs_side_by_side_have_a_gpu_each_as_far_as_there_are(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side_by_side: int
) -> None:
    on_gpu = replace(plan, jobs=[_placed_on(job, "auto") for job in plan.jobs])
    at_work = Counter[str]()
    for word, gpu in _seen_gpus(on_gpu, tmp_path, monkeypatch, side_by_side):
        at_work[gpu] += 1 if word == "begins" else -1
        assert at_work[gpu] <= side_by_side // 2
    assert set(at_work) == {"3", "5"}


def test_a_job_of_the_cpu_or_of_several_gpus_sees_what_its_parent_sees(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [_placed_on(plan.jobs[0], "cpu"), _placed_on(plan.jobs[1], "gpu", devices=2)]
    assert {gpu for _, gpu in _seen_gpus(replace(plan, jobs=jobs), tmp_path, monkeypatch, 2)} == {"3,5"}


def _placed_on(job: Job, accelerator: Literal["auto", "cpu", "gpu"], devices: int = 1) -> Job:
    config = job.config.model_copy(deep=True)
    config.train.accelerator, config.train.devices = accelerator, devices
    return replace(job, config=config)


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
