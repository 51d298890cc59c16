"""Checks for strangers learned from a run: fitted on training, judged on test, told by prediction."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from drifa import DrifaError, load
from drifa.evaluation.calibrate import calibrate
from drifa.evaluation.strangers import learn_strangers
from drifa.prediction.answers import as_table
from drifa.prediction.cases import Case
from drifa.prediction.strangers import FILE
from drifa.prediction.verdict import STRANGE
from drifa.runs.run import Run
from tests.evaluation.test_calibrate import a_case

#: The tiny phantom has few validation patients; so few can hold no lower rate.
RATE = 0.5


def test_too_few_patients_are_told_and_no_check_is_invented(paired_run: Run) -> None:
    checks, found, notes = learn_strangers(load(paired_run.folder, device="cpu"), rate=0.01)
    assert checks == found == {}
    assert [note.partition(":")[0] for note in notes] == list(paired_run.info.modalities)
    assert all("validation groups are too few" in note for note in notes)


def test_prediction_tells_a_blank_image_and_the_tasks_that_use_it(paired_run: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    shutil.copytree(paired_run.folder.parent / "study", tmp_path / "study")
    path, told = calibrate(folder, false_alarms=RATE)
    assert json.loads(path.read_text()) == told
    assert set(told["strangers"]) == set(paired_run.info.modalities)
    for one in told["strangers"].values():
        assert one["rate"] == RATE
        assert 0 <= one["false_alarms"]["value"] <= 1
    Image.new("RGB", (32, 32)).save(tmp_path / "blank.png")
    images = {**a_case(paired_run), "photo": str(tmp_path / "blank.png")}
    predictor = load(folder, device="cpu")
    result = predictor.predict([Case("a", {name: Path(file) for name, file in images.items()})])
    answer = result.cases[0]
    assert "photo" in {warning.modality for warning in answer.warnings}
    for task, one in answer.tasks.items():
        if "photo" in paired_run.info.task_modalities[task]:
            assert one.abstain.refer
            assert one.verdict.startswith(f"{STRANGE}: photo")
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))["cases"][0]
    assert plain["warnings"][0]["modality"] == "photo"
    assert plain["tasks"]["surface"]["abstain"]["refer"] is True
    assert plain["tasks"]["surface"]["uncertainty"]["entropy_share"] == answer.tasks["surface"].entropy_share
    table = as_table(result).set_index("task")
    assert table.loc["surface", "refer"]
    assert "photo: not my kind" in table.loc["surface", "warnings"]
    calibrate(folder, false_alarms=None)
    assert not (folder / FILE).exists()
    assert load(folder, device="cpu").predict_one(images).warnings == ()


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_rate_that_is_none_is_refused_before_it_costs_anything(paired_run: Run, rate: float) -> None:
    with pytest.raises(DrifaError, match="false alarms"):
        calibrate(paired_run.folder, false_alarms=rate)
