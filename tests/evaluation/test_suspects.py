"""What a run says of labels: only where it was not trained, only of its own study, and a label turned afterwards is found."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drifa.data import Study
from drifa.data.splits.receipts import read_split
from drifa.errors import DrifaError
from drifa.evaluation.suspects import check_run, doubt_of, suspects_of_run
from drifa.runs.run import Run


@pytest.fixture
def judged(paired_run: Run, tmp_path: Path) -> tuple[Path, Study]:
    """A run whose answers believe every label of the task `surface`, and its study."""
    run = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    shutil.rmtree(run / "evaluations", ignore_errors=True)
    path = run / "predictions.parquet"
    table = pd.read_parquet(path)
    classes = paired_run.info.tasks["surface"]["classes"]
    rows = (table["task"] == "surface").to_numpy()
    sure = [np.where(np.array(classes) == label, 0.9, 0.1 / (len(classes) - 1)) for label in table.loc[rows, "label"]]
    table.loc[rows, "probabilities"] = pd.Series(sure, index=table.index[rows])
    table.to_parquet(path, index=False)
    evaluation = run / "evaluation.json"
    evaluation.write_text(evaluation.read_text().replace('"predictions.parquet"', '"other"'))
    return run, Study.load(paired_run.folder.parent / "study")


def turned(study: Study, subject: str) -> Study:
    own, labels = study.table["subject"] == subject, study.table["surface"]
    other = next(name for name in study.tasks["surface"].target.names if name != labels[own].iloc[0])
    return replace(study, table=study.table.assign(surface=labels.mask(own, other)))


def of_surface(run: Path, study: Study, clusters: list[list[int]] | None = None) -> list[str]:
    (one,) = (one for one in suspects_of_run(run, study, clusters or []) if one.data["task"] == "surface")
    return [subject for suspect in one.data["suspects"] for subject in suspect["subjects"]]


def test_a_label_that_was_turned_is_suspected_and_one_of_training_is_not(judged: tuple[Path, Study]) -> None:
    run, study = judged
    sides, _ = read_split(run)
    tested, seen = (str(sides.loc[sides["split"] == side, "subject"].iloc[0]) for side in ("test", "train"))
    assert of_surface(run, study) == []
    assert of_surface(run, turned(study, tested)) == [tested]
    assert of_surface(run, turned(study, seen)) == []


@pytest.mark.parametrize("groups", [60, 6, 1])
def test_a_run_that_is_not_better_than_one_constant_answer_is_doubted_and_a_good_one_is_not(groups: int) -> None:
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    right, constant = np.eye(3)[labels], np.eye(3)[np.zeros(60, dtype=int)]
    guessed = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    names = np.arange(60) % groups
    assert bool(doubt_of(labels, right, names, "abc")) == (groups == 1)  # one group tells of no other
    for weak in (constant, guessed):
        assert "always answering a (50%)" in doubt_of(labels, weak, names, "abc")
    assert doubt_of(labels[:30], right[:30], names[:30], "abc")  # one class alone: nothing was told apart


def test_a_subject_whose_twin_was_trained_on_is_left_out(judged: tuple[Path, Study]) -> None:
    run, study = judged
    sides, _ = read_split(run)
    tested, seen = (str(sides.loc[sides["split"] == side, "subject"].iloc[0]) for side in ("test", "train"))
    rows = [int(np.flatnonzero(study.table["subject"] == name)[0]) for name in (tested, seen)]
    assert of_surface(run, turned(study, tested), [rows]) == []


def test_a_run_of_another_study_or_without_answers_is_refused(judged: tuple[Path, Study]) -> None:
    run, study = judged
    with pytest.raises(DrifaError, match="was trained on study 'phantom', not on 'other'"):
        check_run(run, replace(study, name="other"))
    with pytest.raises(DrifaError, match="answers no task of classes"):
        check_run(run, replace(study, tasks={}))
    (run / "predictions.parquet").unlink()
    with pytest.raises(DrifaError, match="has no predictions yet"):
        check_run(run, study)
