"""What is compared are the answers of the runs, on the same cases; its numbers are those that the runs report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drifa.errors import DrifaError
from drifa.experiments.answers import read_answers
from drifa.experiments.comparison import Comparison
from drifa.experiments.experiment import read_experiment
from drifa.experiments.jobs import JobRecord, Outcome, run_folder
from drifa.experiments.judge import compare
from drifa.experiments.plan import Plan, make_plan
from drifa.experiments.telling import least_p, telling_groups
from drifa.files import digest, write_json
from drifa.metrics.intervals import seed_interval
from tests.experiments.conftest import Write

Done = tuple[Path, list[Outcome], Comparison]


def test_values_are_those_of_the_runs(done: Done) -> None:
    folder, _, found = done
    for result in found.results:
        for seed, value in result.by_seed.items():
            told = json.loads((folder / "jobs" / f"{result.arm}-s{seed}" / "metrics.json").read_text())
            assert value == pytest.approx(told[result.task]["deterministic"][result.metric]["value"])
        assert result.over == "groups"
        assert result.low <= result.mean <= result.high


def test_differences_are_those_of_the_arms(done: Done) -> None:
    found = done[2]
    means = {(result.arm, result.task, result.metric): result.mean for result in found.results}
    family = [contrast for contrast in found.contrasts if not contrast.primary]
    assert len(family) == 5  # three tasks of two metrics, less the primary one
    assert found.primary is not None
    assert found.primary.adjusted is None
    assert found.verdict == found.primary.verdict
    for contrast in found.contrasts:
        (task,) = contrast.tasks
        expected = means[contrast.a, task, contrast.metric] - means[contrast.b, task, contrast.metric]
        assert contrast.difference["value"] == pytest.approx(expected)
    for contrast in family:
        assert contrast.adjusted is not None
        assert contrast.adjusted >= contrast.difference["p"]


def test_three_seeds_have_an_interval_over_seeds(write: Write, done: Done, tmp_path: Path) -> None:
    plan, folder = make_plan(read_experiment(write(seeds=[0, 1, 2]))), tmp_path / "out"
    shutil.copytree(done[0], folder)
    for job in plan.jobs[4:]:  # a third seed that answers as the first did
        own = folder / "jobs" / job.name
        shutil.copytree(folder / "jobs" / f"{job.arm}-s0", own)
        record = JobRecord.read(own / "job.json")
        assert record is not None
        write_json(own / "job.json", record.to_json() | {"name": job.name, "seed": 2, "key": job.key})
    found = compare(plan, folder)
    for result in found.results:
        assert result.over == "seeds"
        over = seed_interval([value for value in result.by_seed.values() if value is not None])
        assert (result.low, result.high) == (over["low"], over["high"])


def test_arms_that_judged_different_cases_are_not_compared(plan: Plan, done: Done, tmp_path: Path) -> None:
    import pandas as pd

    folder = tmp_path / "out"
    shutil.copytree(done[0], folder)
    own = folder / "jobs" / "concat-s1"
    rows = pd.read_parquet(own / "predictions.parquet")
    rows[rows["subject"] != rows["subject"].iloc[0]].to_parquet(own / "predictions.parquet", index=False)
    with pytest.raises(DrifaError, match="was changed since it was judged"):
        compare(plan, folder)
    told = json.loads((own / "evaluation.json").read_text())
    told["files"]["predictions.parquet"] = digest(own / "predictions.parquet")
    write_json(own / "evaluation.json", told)
    with pytest.raises(DrifaError, match="judged different cases of task"):
        compare(plan, folder)


def test_no_p_is_below_what_the_groups_allow(done: Done) -> None:
    folder, _, found = done
    answers = {job.name: read_answers([run_folder(folder, job.name)]) for job in found.jobs}
    for contrast in found.contrasts:
        telling: set[str] = set()
        for task in contrast.tasks:
            a, b = ([answers[f"{arm}-s{seed}"][task] for seed in contrast.seeds] for arm in (contrast.a, contrast.b))
            telling |= telling_groups(a, b, [contrast.metric])[contrast.metric]
        assert (contrast.difference["p"] or 0) >= least_p(len(telling))


def test_a_seed_that_leaves_one_arm_undefined_counts_for_neither(write: Write, done: Done, tmp_path: Path) -> None:
    changes = {"metrics": ["error_auroc"], "primary": "drifa - concat, error_auroc, depth"}
    plan, folder = make_plan(read_experiment(write(**changes))), tmp_path / "out"
    shutil.copytree(done[0], folder)
    own = folder / "jobs" / "concat-s1"
    rows = pd.read_parquet(own / "predictions.parquet")
    classes = plan.studies["concat"].tasks["depth"].classes
    answers = zip(rows["task"], rows["label"], rows["probabilities"], strict=True)
    # Without an error, nothing ranks errors.
    rows["probabilities"] = [np.eye(3)[classes.index(label)] if task == "depth" else given for task, label, given in answers]
    rows.to_parquet(own / "predictions.parquet", index=False)
    told = json.loads((own / "evaluation.json").read_text())
    told["files"]["predictions.parquet"] = digest(own / "predictions.parquet")
    write_json(own / "evaluation.json", told)

    primary = compare(plan, folder).primary
    assert primary is not None
    assert primary.by_seed["1"] is None
    assert primary.by_seed["0"] is not None
    assert primary.difference["value"] == pytest.approx(primary.by_seed["0"])


def test_cases_are_those_on_which_arms_answer_otherwise(done: Done) -> None:
    cases = done[2].cases
    assert cases
    for case in cases:
        assert case.answers.keys() == {"drifa", "concat"}
        assert len(set(case.answers.values())) == 2
    for task in done[2].tasks:
        spreads = [case.spread for case in cases if case.task == task]
        assert spreads == sorted(spreads, reverse=True)


def test_without_a_finished_job_there_is_nothing_to_compare(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="no job of"):
        compare(plan, tmp_path)
