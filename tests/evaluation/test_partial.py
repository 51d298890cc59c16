"""Answers without some modalities: who is asked, that nothing else is shown, and that their calibration reaches such cases."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drifa import load
from drifa.evaluation.calibrate import calibrate
from drifa.evaluation.partial import PartialAnswers, partial_answers
from drifa.prediction.predictor import Predictor
from drifa.prediction.trust import FILE, Trust
from drifa.runs.run import Run
from drifa.uncertainty.calibration import Least, Temperature
from tests.evaluation.test_calibrate import a_case


def of(run: Run, every: bool = False) -> dict[tuple[str, str], PartialAnswers]:
    return {("+".join(one.subset), one.task): one for one in partial_answers(Predictor(run, "cpu"), "val", every)}


def test_complete_subjects_are_asked_without_the_others_only_on_demand(paired_run: Run) -> None:
    assert of(paired_run) == {}
    found = of(paired_run, every=True)
    assert set(found) == {
        *(("photo", task) for task in ("surface", "spread")),
        *(("ultrasound", task) for task in ("depth", "spread")),
    }
    subjects = paired_run.study().subjects()
    row = subjects.in_split("val")[0]
    photo = paired_run.study().image_path(int(subjects.image[row, 0]))
    # What is learned of is what prediction answers about the same subject when it is given that image alone.
    answer = load(paired_run.folder, device="cpu").predict_one({"photo": photo}, subject=str(subjects.ids[row]))
    told = answer.tasks["spread"]
    np.testing.assert_allclose(found["photo", "spread"].probabilities[0], list(told.probabilities.values()), atol=1e-6)
    assert len(found["photo", "spread"].labels) == len(subjects.in_split("val"))


def test_subjects_who_lack_a_modality_stand_for_their_kind(paired_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    study = paired_run.study()
    table = study.table
    first = table.loc[table["split"] == "val", "subject"].iloc[0]
    kept = table[(table["subject"] != first) | (table["modality"] == "photo")].reset_index(drop=True)
    monkeypatch.setattr(Run, "study", lambda self: replace(study, table=kept))
    found = of(paired_run)
    assert {subset for subset, _ in found} == {"photo"}
    # Those who have more are shown without it.
    assert len(found["photo", "surface"].labels) == table.loc[table["split"] == "val", "subject"].nunique()


def test_unpaired_images_are_asked_without_partners(unpaired_run: Run) -> None:
    found = of(unpaired_run)
    assert {subset for subset, _ in found} == {"photo", "ultrasound"}
    assert all(task in unpaired_run.info.tasks for _, task in found)


def test_a_case_that_lacks_a_modality_gets_the_calibration_of_such_cases(
    paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Temperature, "least", Least(3, 0))
    folder = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    shutil.copytree(paired_run.folder.parent / "study", tmp_path / "study")
    path, told = calibrate(folder, risk=0.9, confidence=0.5, false_alarms=None, subsets=True)
    assert set(told["subsets"]) == set(told["test_subsets"]) == {"photo", "ultrasound"}
    # A temperature that no complete answer has, so that the one that was used can be told.
    hot = Temperature(classes=tuple(paired_run.info.tasks["surface"]["classes"]), temperature=50)
    learned = Trust.read(folder)
    own = {**learned.subsets["photo"], "surface": replace(learned.subsets["photo"]["surface"], calibration=hot)}
    path.write_text(json.dumps({**told, **replace(learned, subsets={"photo": own}).to_json()}))
    case = a_case(paired_run)
    predictor = load(folder, device="cpu")
    partial, complete = predictor.predict_one({"photo": case["photo"]}), predictor.predict_one(case)
    surface = partial.tasks["surface"]
    np.testing.assert_allclose(list(surface.probabilities.values()), hot([list(surface.raw_probabilities.values())])[0])
    assert surface.abstain.reason.startswith("without ultrasound: ")
    assert "without" not in complete.tasks["surface"].abstain.reason
    # Of this subset nothing is known any more.
    other = predictor.predict_one({"ultrasound": case["ultrasound"]}).tasks["depth"]
    assert other.raw_probabilities is None
    assert other.abstain.refer
    assert json.loads((folder / FILE).read_text())["subsets"].keys() == {"photo"}
