"""drifa calibrate: fitted on validation, judged on test, applied by prediction."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from drifa import DrifaError, load
from drifa.data.splits.split import split, write_receipt
from drifa.data.study.checks import CALIBRATION
from drifa.evaluation import calibrate as module
from drifa.evaluation.calibrate import calibrate, calibrate_trained, judge_calibration
from drifa.prediction.trust import FILE
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
    path, told = calibrate(folder, risk=0.9, confidence=0.5)
    assert set(told["test"]) <= set(paired_run.info.tasks)
    assert json.loads(path.read_text()) == told
    # Whether so few groups allow a bar is a matter of luck: its worth is looked at in tests/uncertainty/test_abstention.py.
    assert all("calibration" in found for found in told["test"].values())
    # What is said later, by an evaluation, is the same.
    path.write_text(json.dumps({**told, "test": {}}))
    shutil.copy(folder / "evaluations" / "own-test" / "predictions.parquet", folder)
    assert judge_calibration(folder)
    assert json.loads(path.read_text()) == told
    assert not judge_calibration(folder)
    after = load(folder, device="cpu").predict_one(a_case(paired_run))
    for task, answer in after.tasks.items():
        assert answer.raw_probabilities == pytest.approx(before.tasks[task].probabilities)
        assert answer.predicted == before.tasks[task].predicted
        assert answer.verdict is not None
        assert answer.abstain is not None
    name, file = next(iter(a_case(paired_run).items()))
    partial = load(folder, device="cpu").predict_one({name: file})
    assert all(answer.raw_probabilities is None for answer in partial.tasks.values())
    assert partial.missing == tuple(other for other in paired_run.info.modalities if other != name)
    assert all(partial.missing[0] in answer.verdict and answer.abstain.refer for answer in partial.tasks.values())
    assert partial.missing[0] in partial.words()
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "members": 7}))
    with caplog.at_level(logging.WARNING, logger="drifa"):
        other = load(folder, device="cpu").predict_one(a_case(paired_run))
    assert "drifa calibrate" in caplog.text
    assert all(answer.raw_probabilities is None for answer in other.tasks.values())


def test_a_file_of_an_older_format_is_one_clear_error_and_can_be_made_anew(paired_run: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    shutil.copytree(paired_run.folder.parent / "study", tmp_path / "study")
    (folder / FILE).write_text('{"drifa_calibration": 1, "tasks": {}}')
    with pytest.raises(DrifaError, match=r"has format 1.*drifa calibrate"):
        load(folder, device="cpu").predict_one(a_case(paired_run))
    # A risk that nothing can promise is a note with the least that can, and no answer is sure.
    _, told = calibrate(folder, risk=0.01, false_alarms=None)
    for found in told["test"].values():
        assert any("no bar for abstention" in note and "least that can" in note for note in found["notes"])
    answer = load(folder, device="cpu").predict_one(a_case(paired_run))
    assert answer.warnings == ()
    assert all(one.verdict.startswith("unsure") for one in answer.tasks.values())


def test_a_part_cut_off_for_calibration_takes_the_place_of_validation(
    paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Temperature, "least", Least(3, 1))
    folder = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    shutil.copytree(paired_run.folder.parent / "study", tmp_path / "study")
    sides = pd.read_csv(folder / "split.csv", dtype=str)
    train = sides.index[sides["split"] == "train"]
    # Networks do not ask which part an image was of: one class of the first task is missing from the part.
    study, task = paired_run.study(), next(iter(paired_run.info.tasks))
    labels = study.table.drop_duplicates("subject").set_index("subject")[task]
    rare = paired_run.info.tasks[task]["classes"][0]
    chosen = [row for row in train if labels[sides["subject"][row]] not in ("", rare)][:20]
    sides.loc[chosen, "split"] = CALIBRATION
    parts = replace(study, table=study.table.assign(split=study.table["subject"].map(sides.set_index("subject")["split"])))
    write_receipt(parts, split(parts, "given")[1], folder)
    path, told = calibrate(folder, risk=0.9, confidence=0.5, false_alarms=0.2)
    assert json.loads(path.read_text())["source"] == CALIBRATION
    answered = pd.read_parquet(folder / "evaluations" / f"own-{CALIBRATION}" / "predictions.parquet")
    assert set(answered["subject"]) == set(sides["subject"][chosen])
    assert any(f"class {rare!r} has 0 calibration cases" in note for note in told["test"][task]["notes"])
    assert all(one["rate"] == 0.2 for one in told["strangers"].values())
    assert load(folder, device="cpu").predict_one(a_case(paired_run)).tasks[task].verdict is not None


def test_a_training_ends_with_a_calibration_once_and_only_where_it_is_asked_for(
    paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Path] = []

    def told(folder: Path, **_: object) -> tuple[Path, dict[str, object]]:
        done.append(folder / FILE)
        done[-1].write_text("{}")
        return done[-1], {"tasks": {"cell": {"notes": ["too few.", "far too few."]}}, "notes": []}

    def refused(folder: Path, **_: object) -> None:
        raise DrifaError("the test split is empty")

    off = replace(paired_run, folder=tmp_path)
    on = replace(off, config=off.config.model_copy(deep=True))
    on.config.train.calibrate = True
    monkeypatch.setattr(module, "calibrate", refused)
    assert calibrate_trained(on) == (None, "not calibrated: the test split is empty")
    monkeypatch.setattr(module, "calibrate", told)
    assert calibrate_trained(off) == (None, "")
    assert calibrate_trained(on) == (tmp_path / FILE, f"cell: too few. (1 more in {tmp_path / FILE})")
    assert calibrate_trained(on) == (None, "")
    assert done == [tmp_path / FILE]


def test_an_unknown_method_is_refused_before_it_costs_anything(paired_run: Run) -> None:
    with pytest.raises(DrifaError, match="did you mean 'temperature'"):
        calibrate(paired_run.folder, method="temprature")
