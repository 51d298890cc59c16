"""Temperatures of regions in a run: learned on validation volumes, judged on test ones, in every answer about a volume."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from drifa import load
from drifa.config import make_config
from drifa.data import prepare
from drifa.evaluation import calibrate_regions
from drifa.evaluation.calibrate import calibrate, calibrate_trained
from drifa.evaluation.evaluate import evaluate
from drifa.prediction.cases import Case
from drifa.prediction.trust import Trust
from drifa.runs.run import Run
from drifa.training.train import train
from drifa.uncertainty import region_calibration
from tests.evaluation.test_judge_volumes import GENERATOR, settings
from tests.report_page import report


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("regions")
    runpy.run_path(str(GENERATOR))["write"](folder / "raw")
    prepare("brats", folder / "raw", folder / "study")
    return train(make_config(settings(folder / "study", epochs=1)), folder / "run", quiet=True)


def a_case(run: Run) -> Case:
    study, subjects = run.study(), run.study().subjects()
    images = subjects.image[subjects.in_split("test")[0]]
    return Case("x", {name: study.image_path(int(one)) for name, one in zip(study.modalities, images, strict=True)})


def test_too_few_patients_are_a_note_and_change_nothing(run: Run) -> None:
    path, words = calibrate_trained(run)
    assert "too few for the temperatures of regions" in words
    assert path is not None
    assert json.loads(path.read_text())["regions"] == {}
    path.unlink()


def test_every_answer_is_calibrated_and_no_mask_changes(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region_calibration, "LEAST_MAPS", 1)
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    shutil.copytree(run.folder.parent / "study", tmp_path / "study")
    shutil.copytree(run.folder.parent / "raw", tmp_path / "raw")
    case = a_case(run)
    before = load(folder, device="cpu").segment(case)[1]["tumour"]
    path, told = calibrate(folder)
    temperatures = Trust.read(folder).regions["tumour"]
    assert temperatures.to_json() == told["regions"]["tumour"]
    assert any(abs(value - 1) > 1e-3 for value in temperatures.temperatures)
    after = load(folder, device="cpu").segment(case)[1]["tumour"]
    np.testing.assert_array_equal(after >= 0.5, before >= 0.5)
    seen = (before > 0).any(axis=-1)
    np.testing.assert_allclose(after[seen].T, temperatures(before[seen].T), atol=1e-6)
    assert (after[~seen] == 0).all()
    # On the volumes that it was learned of, it is better by construction.
    own = calibrate_regions.judge_regions(load(folder, device="cpu"), {"tumour": temperatures}, "val")
    for region in temperatures.regions:
        nll = own["tumour"][region]["nll"]
        assert nll["after"]["value"] <= nll["before"]["value"] + 1e-9
    assert told["test_regions"].keys() == {"tumour"}
    assert json.loads(path.read_text())["source"] == "val"
    evaluate(folder)
    assert "tumour" in report(folder).source
