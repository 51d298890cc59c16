"""A run that segments, exported: from volumes to masks without drifa and without torch, as it answers itself."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import drifa
from drifa.config import make_config
from drifa.data import prepare
from drifa.errors import DrifaError
from drifa.export.folder import pack
from drifa.export.program import LIMIT
from drifa.files import write_json
from drifa.prediction import exported_slices
from drifa.prediction.cases import Case
from drifa.prediction.exported import export
from drifa.prediction.exported_slices import slice_examples
from drifa.prediction.trust import FILE, Trust
from drifa.runs.run import Run
from drifa.training.train import train
from drifa.uncertainty.region_calibration import RegionTemperatures
from tests.evaluation.test_judge_volumes import GENERATOR, settings
from tests.prediction.test_exported import WITHOUT_TORCH, example
from tests.prediction.test_volumes import images

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volumes")
    runpy.run_path(str(GENERATOR))["write"](folder / "raw")
    prepare("brats", folder / "raw", folder / "study")
    return folder / "study"


def trained(study: Path, size: int, fusion: str) -> Run:
    """A run of two members, without passes, with temperatures."""
    told = settings(study, epochs=1)
    told["data"] |= {"image_size": size, "shift": 0}
    told["model"] |= {"fusion": fusion}
    told["evaluate"] |= {"passes": 0}
    run = train(make_config(told), study.parent / f"run{size}", quiet=True)
    record = RegionTemperatures(regions=("WT", "TC", "ET"), temperatures=(2.0, 0.5, 3.0))
    write_json(run.folder / FILE, Trust("ensemble", 2, {}, regions={"tumour": record}).to_json())
    return run


@pytest.fixture(scope="module", params=[32, 0], ids=["scaled", "as they are"])
def run(study: Path, request: pytest.FixtureRequest) -> Run:
    return trained(study, request.param, "concat")


@pytest.fixture(scope="module")
def folder(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = export(run.folder, tmp_path_factory.mktemp("exported") / "model")
    assert found.real
    assert found.difference <= LIMIT
    assert not found.notes
    return found.folder


def test_the_example_of_the_page_segments_as_the_run_does_without_torch(folder: Path, run: Run, tmp_path: Path) -> None:
    script, case = example("segment.py", tmp_path, 60), images(run)
    for given in (case, {"t1": case["t1"]}):
        words = [f"{name}={path}" for name, path in given.items()]
        command = [sys.executable, "-c", WITHOUT_TORCH, str(script), str(folder), str(tmp_path / "found.npz"), *words]
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
        expected = drifa.load(run.folder, device="cpu").segment(Case("x", given)).probabilities["tumour"]
        with np.load(tmp_path / "found.npz") as found:
            assert list(found) == ["WT", "TC", "ET"]
            np.testing.assert_allclose(np.stack(list(found.values()), axis=-1), expected, atol=LIMIT)


def test_volumes_in_another_orientation_are_turned(folder: Path, run: Run, tmp_path: Path) -> None:
    script, found = example("segment.py", tmp_path, 60), []
    for turn in ([[0, 1], [1, 1], [2, 1]], [[1, -1], [2, 1], [0, 1]]):
        words = []
        for name, path in images(run).items():
            nibabel.save(nibabel.load(path).as_reoriented(np.array(turn)), tmp_path / f"{name}.nii.gz")
            words.append(f"{name}={tmp_path / name}.nii.gz")
        command = [sys.executable, str(script), str(folder), str(tmp_path / "found.npz"), *words]
        subprocess.run(command, check=True, timeout=100)
        with np.load(tmp_path / "found.npz") as one:
            found.append(dict(one))
    for name, p in found[0].items():
        assert np.array_equal(p, found[1][name])


def test_it_says_how_it_is_asked(folder: Path, run: Run) -> None:
    told = json.loads((folder / "preprocessing.json").read_text())
    side = run.info.image_size
    sides: list[Any] = [side, side] if side else ["height", "width"]
    assert told["inputs"]["present"]["columns"] == list(run.info.modalities)
    assert told["inputs"]["t1"]["shape"] == ["batch", 1, *sides]
    assert (told["resize"] is None) == (side == 0)
    output = told["outputs"]["probabilities_tumour"]
    assert (output["regions"], output["shape"]) == (["WT", "TC", "ET"], ["batch", 3, *sides])
    assert output["mask_values"] == {"WT": [1, 2, 4], "TC": [1, 4], "ET": [4]}
    assert (output["calibrated"], told["outputs"]["raw_tumour"]["calibrated"]) == (True, False)
    assert told["calibration"]["tumour"]["temperatures"] == {"WT": 2.0, "TC": 0.5, "ET": 3.0}
    assert told["compared"]["on"] == "cases of the study"
    assert str(run.folder.parent) not in json.dumps(told)


def test_noise_is_asked_where_there_is_no_study(run: Run, tmp_path: Path) -> None:
    found = slice_examples(drifa.load(pack(run.folder, tmp_path / "model"), device="cpu"), 3)
    side = run.info.image_size or exported_slices.NOISE
    assert not found.real
    assert {tuple(x.shape) for x in found.images.values()} == {(3, 1, side, side)}
    assert found.any_size == (run.info.image_size == 0)


def test_a_calibration_of_other_members_is_left_out_with_a_note(study: Path, run: Run, tmp_path: Path) -> None:
    if not run.info.image_size:
        pytest.skip("alike for slices of any size")
    other = shutil.copytree(run.folder, tmp_path / "run")
    value = json.loads((other / FILE).read_text())
    write_json(other / FILE, value | {"members": 3})
    found = export(other, tmp_path / "out")
    assert "learned with 3 network(s)" in found.notes[0]
    assert list(json.loads((tmp_path / "out" / "preprocessing.json").read_text())["outputs"]) == ["probabilities_tumour"]


def test_draws_are_not_for_segmentation(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="--draws is not for segmentation"):
        export(run.folder, tmp_path / "out", draws=True)
    assert not (tmp_path / "out").exists()


def test_torch_takes_one_size(run: Run, tmp_path: Path) -> None:
    if run.info.image_size:
        pytest.skip("tests/export/test_slices.py has it")
    with pytest.raises(DrifaError, match="which only ONNX can say"):
        export(run.folder, tmp_path / "out", "torch")
