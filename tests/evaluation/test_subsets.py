"""Subsets of modalities: all of them is the ordinary answer, and what cannot answer is not judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.evaluation.evaluate import evaluate
from drifa.metrics.classification import METRICS
from drifa.runs.run import Run
from tests.evaluation.outputs import read


@pytest.fixture(scope="module")
def judged(paired_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict:
    where, _ = evaluate(paired_run.folder, subsets=True, out=tmp_path_factory.mktemp("subsets"))
    return read(where)[1]["subsets"]


def test_a_task_is_judged_on_the_subsets_that_hold_what_it_asks(judged: dict) -> None:
    assert {task: set(subsets) for task, subsets in judged.items()} == {
        "surface": {"photo", "photo+ultrasound"},
        "depth": {"ultrasound", "photo+ultrasound"},
        "spread": {"photo", "ultrasound", "photo+ultrasound"},
    }


def test_everything_together_is_the_members_average_without_dropout(judged: dict, paired_run: Run) -> None:
    metrics, evaluation, _ = read(paired_run.folder)
    for task, subsets in judged.items():
        whole = subsets["photo+ultrasound"]
        assert whole["count"] == evaluation["tasks"][task]["count"]
        for name in METRICS:
            assert whole[name] == pytest.approx(metrics[task]["ensemble"][name], nan_ok=True)


def test_one_side_of_an_unpaired_study_is_its_answer_without_partners(unpaired_run: Run, tmp_path: Path) -> None:
    where, metrics = evaluate(unpaired_run.folder, subsets=True, out=tmp_path)
    found = read(where)[1]["subsets"]
    assert {task: set(subsets) for task, subsets in found.items()} == {"surface": {"photo"}, "depth": {"ultrasound"}}
    for task, side in (("surface", "photo"), ("depth", "ultrasound")):
        for name in ("accuracy", "balanced_accuracy"):
            assert found[task][side][name] == pytest.approx(metrics[task]["ensemble"][f"{name}_alone"], nan_ok=True)
