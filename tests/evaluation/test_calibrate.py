"""drifa calibrate: fitted on validation, judged on test, applied by prediction."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from drifa import DrifaError, load
from drifa.evaluation.calibrate import calibrate
from drifa.runs.run import Run
from drifa.uncertainty.calibration import Least, Temperature


def a_case(run: Run) -> dict[str, str]:
    """A test subject with all its images."""
    study = run.study()
    rows = study.subjects().image[study.subjects().in_split("test")[0]]
    return {name: str(study.image_path(int(row))) for name, row in zip(study.modalities, rows, strict=True)}


def test_prediction_applies_what_was_learned_and_only_to_answers_of_that_kind(
    paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Temperature, "least", Least(3, 0))
    folder = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    shutil.copytree(paired_run.folder.parent / "study", tmp_path / "study")
    before = load(folder, device="cpu").predict_one(a_case(paired_run))
    assert all(answer.raw_probabilities is None for answer in before.tasks.values())
    path, found = calibrate(folder)
    assert set(found) <= set(paired_run.info.tasks)
    assert set(json.loads(path.read_text())["test"]) == set(found)
    after = load(folder, device="cpu").predict_one(a_case(paired_run))
    for task, answer in after.tasks.items():
        assert answer.raw_probabilities == pytest.approx(before.tasks[task].probabilities)
        assert answer.predicted == before.tasks[task].predicted
    name, file = next(iter(a_case(paired_run).items()))
    partial = load(folder, device="cpu").predict_one({name: file})
    assert all(answer.raw_probabilities is None for answer in partial.tasks.values())
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "members": 7}))
    with caplog.at_level(logging.WARNING, logger="drifa"):
        other = load(folder, device="cpu").predict_one(a_case(paired_run))
    assert "drifa calibrate" in caplog.text
    assert all(answer.raw_probabilities is None for answer in other.tasks.values())


def test_an_unknown_method_is_refused_before_it_costs_anything(paired_run: Run) -> None:
    with pytest.raises(DrifaError, match="did you mean 'temperature'"):
        calibrate(paired_run.folder, method="temprature")
