"""Every network is asked with every subset of the modalities, without training one again; folds count by their cases."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from drifa.experiments.comparison import Comparison
from drifa.experiments.experiment import read_experiment
from drifa.experiments.jobs import Outcome, finished
from drifa.experiments.page import page
from drifa.experiments.plan import make_plan
from drifa.experiments.run import run_experiment
from drifa.experiments.subsets import _joined, asked_subsets
from drifa.experiments.tables import markdown
from tests.experiments.conftest import Write

Done = tuple[Path, list[Outcome], Comparison]


@pytest.fixture(scope="module")
def asked(write: Write, done: Done, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Outcome], Comparison]:
    """The finished experiment, asked for subsets afterwards."""
    folder = tmp_path_factory.mktemp("asked") / "out"
    shutil.copytree(done[0], folder)
    return folder, *run_experiment(make_plan(read_experiment(write(subsets=True))), folder, quiet=True)


def test_nobody_asks_unless_told(done: Done) -> None:
    assert done[2].subsets == []
    assert "every subset" not in markdown(done[2])


def test_finished_networks_are_asked_and_not_trained_again(asked: Done, done: Done) -> None:
    folder, outcomes, found = asked
    assert [outcome.state for outcome in outcomes] == ["done"] * 4
    for job in ("drifa-s0", "concat-s1"):
        weights = Path("jobs", job, "members", "0", "model.safetensors")
        assert (folder / weights).stat().st_mtime == (done[0] / weights).stat().st_mtime
    assert [found.results, found.contrasts] == [done[2].results, done[2].contrasts]


def test_values_are_those_of_the_runs(asked: Done) -> None:
    folder, _, found = asked
    assert {one.subset for one in found.subsets if one.task == "spread"} == {"photo", "ultrasound", "photo+ultrasound"}
    for one in found.subsets:
        for seed, value in one.by_seed.items():
            told = json.loads((folder / "jobs" / f"{one.arm}-s{seed}" / "evaluation.json").read_text())["subsets"]
            assert value == told[one.task][one.subset][one.metric]["value"]
        assert one.mean == pytest.approx(sum(one.by_seed.values()) / 2)
        assert one.low is None  # of two seeds


def test_both_writings_hold_every_subset(asked: Done) -> None:
    found = asked[2]
    assert Comparison.from_json(json.loads((asked[0] / "comparison.json").read_text())) == found
    for text in (markdown(found), page(found)):
        assert "every subset" in text
        assert text.count("photo+ultrasound") >= len(found.tasks)


def test_a_job_that_was_not_asked_is_not_finished(asked: Done, write: Write) -> None:
    plan = make_plan(read_experiment(write(subsets=True)))
    path = asked[0] / "jobs" / plan.jobs[0].name / "evaluation.json"
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | {"subsets": {}}))
    try:
        assert finished(asked[0], plan.jobs[0]) is None
        assert finished(asked[0], replace(plan.jobs[0], subsets=False)) is not None
        assert all("0" not in one.by_seed for one in asked_subsets(plan, asked[0]) if one.arm == plan.jobs[0].arm)
    finally:
        path.write_text(text)


def test_folds_count_by_their_cases() -> None:
    assert _joined([(1.0, 1), (0.0, 3), (None, 9)]) == 0.25
    assert _joined([(None, 1)]) is None
