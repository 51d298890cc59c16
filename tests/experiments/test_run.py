"""An experiment that was stopped ends as one that was not; what it says is written down in three ways that agree."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from drifa.errors import DrifaError
from drifa.experiments import launch
from drifa.experiments.comparison import Comparison
from drifa.experiments.experiment import read_experiment
from drifa.experiments.jobs import Outcome
from drifa.experiments.plan import Plan, make_plan
from drifa.experiments.run import run_experiment
from tests.experiments.conftest import Write

Done = tuple[Path, list[Outcome], Comparison]


def said(folder: Path) -> dict[str, object]:
    """What a comparison says, without how long it took."""
    found = json.loads((folder / "comparison.json").read_text())
    for arm in found["arms"]:
        arm["seconds"] = arm["memory"] = None  # of the run, not of what was trained
    return found


def test_what_is_written_agrees(done: Done) -> None:
    folder, outcomes, found = done
    assert [outcome.state for outcome in outcomes] == ["done"] * 4
    assert Comparison.from_json(json.loads((folder / "comparison.json").read_text())) == found
    rows = pd.read_csv(folder / "comparison.csv")
    assert len(rows) == len(found.results) + len(found.contrasts)
    text = (folder / "comparison.md").read_text()
    assert found.verdict in text
    assert all(arm.name in text for arm in found.arms)
    assert (folder / "cache").is_dir()


def test_a_stopped_experiment_ends_as_one_that_was_not(
    plan: Plan, done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, kept = tmp_path / "out", launch.run_job
    shutil.copytree(done[0], folder)
    # One job not begun, one trained but not recorded: as a kill leaves them.
    shutil.rmtree(folder / "jobs" / "concat-s0")
    (folder / "jobs" / "drifa-s1" / "job.json").unlink()
    (folder / "jobs" / "drifa-s1" / "predictions.parquet").unlink()
    before = (folder / "jobs" / "drifa-s0" / "job.json").stat().st_mtime_ns
    ran = []
    monkeypatch.setattr(launch, "run_job", lambda job, *rest: (ran.append(job.name), kept(job, *rest))[1])
    outcomes, _ = run_experiment(plan, folder, quiet=True)
    assert ran == ["concat-s0", "drifa-s1"]
    assert [outcome.state for outcome in outcomes] == ["done", "done"]
    assert (folder / "jobs" / "drifa-s0" / "job.json").stat().st_mtime_ns == before
    assert said(folder) == said(done[0])


def test_an_interrupted_experiment_says_what_it_has(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, calls = launch.run_job, []

    def stop_after_one(job: object, *rest: object) -> Outcome:
        calls.append(job)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return kept(job, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(launch, "run_job", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(plan, tmp_path / "out", quiet=True)
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert "can be said yet" in found["verdict"]
    assert [job["state"] for job in found["jobs"]] == ["finished", "open", "open", "open"]


def test_a_folder_of_something_else_is_refused(write: Write, plan: Plan, done: Done, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DrifaError, match="no folder of an experiment"):
        run_experiment(plan, tmp_path)
    other = make_plan(read_experiment(write(), ["data.split_seed=1"]))
    with pytest.raises(DrifaError, match="another split"):
        run_experiment(other, done[0])
    longer = make_plan(read_experiment(write(), ["train.epochs=2"]))
    with pytest.raises(DrifaError, match="other settings"):
        run_experiment(longer, done[0])
    header = done[0] / "experiment.json"
    older = tmp_path / "older"
    older.mkdir()
    (older / "experiment.json").write_text(json.dumps(json.loads(header.read_text()) | {"drifa": "0.0.1"}))
    with pytest.raises(DrifaError, match=r"begun with drifa '0\.0\.1'"):
        run_experiment(plan, older)
