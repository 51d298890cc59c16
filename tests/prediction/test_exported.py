"""A run that is exported answers without drifa and without torch as it does with them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import drifa
from drifa.errors import DrifaError
from drifa.export.folder import pack
from drifa.files import write_json
from drifa.prediction import exported
from drifa.prediction.cases import Case
from drifa.prediction.exported import export
from drifa.prediction.sources import read_images
from drifa.prediction.trust import FILE, TaskTrust, Trust
from drifa.runs.run import Run
from drifa.uncertainty.calibration import Temperature
from drifa.uncertainty.prior import PriorCorrection
from tests.prediction.test_asking import files

pytest.importorskip("onnxruntime")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "export.md"
WITHOUT_TORCH = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0]); assert 'torch' not in sys.modules"


@pytest.fixture(scope="module")
def calibrated(paired_run: Run) -> Any:
    run = shutil.copytree(paired_run.folder, paired_run.folder.with_name("calibrated"))
    tasks = {}
    for task, about in paired_run.info.tasks.items():
        weights = range(1, 1 + len(about["classes"]))
        prior = PriorCorrection.of_training([9] * len(weights), list(weights), about["classes"])
        tasks[task] = TaskTrust(prior, Temperature(classes=tuple(about["classes"]), temperature=0.7), None)
    write_json(run / FILE, Trust("ensemble_mc", 2, tasks).to_json())
    yield run
    shutil.rmtree(run)


@pytest.fixture(scope="module")
def folder(calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(calibrated, tmp_path_factory.mktemp("exported") / "model", draws=True).folder


def example(name: str, folder: Path, most: int = 30) -> Path:
    """An example of the page as a script of at most so many lines."""
    found = re.search(rf"```py title=\"{re.escape(name)}\"\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert found is not None
    assert len(found[1].splitlines()) <= most
    (folder / name).write_text(found[1], encoding="utf-8")
    return folder / name


def test_the_example_of_the_page_answers_as_the_run_does_without_torch(
    folder: Path, calibrated: Path, paired_run: Run, tmp_path: Path
) -> None:
    script = example("ask.py", tmp_path)
    trust, predictor, info = Trust.read(calibrated), drifa.load(calibrated, device="cpu"), paired_run.info
    assert trust is not None
    case = files(paired_run, 1)[0]
    for given in (case, dict([next(iter(case.items()))])):
        words = [f"{name}={path}" for name, path in given.items()]
        command = [sys.executable, "-c", WITHOUT_TORCH, str(script), str(folder), *words]
        answers = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout)
        images = {name: x[None] for name, x in read_images(Case("x", given), info.modalities, info.image_size).items()}
        present = torch.tensor([[name in given for name in info.modalities]])
        with torch.inference_mode():
            each = [net(net.to_input(images), present) for net in predictor.nets]
        for task in info.tasks:
            p = torch.stack([one[task].softmax(1) for one in each]).mean(0).numpy()
            expected = trust.tasks[task](p) if present.all() else p
            np.testing.assert_allclose(answers[f"probabilities_{task}"], expected[0], atol=1e-4)
            np.testing.assert_allclose(answers[f"raw_{task}"], p[0], atol=1e-4)


def test_dropout_passes_without_torch_are_those_of_the_networks(folder: Path, paired_run: Run, tmp_path: Path) -> None:
    script, info, nets = example("passes.py", tmp_path), paired_run.info, drifa.load(paired_run.folder, device="cpu").nets
    case = files(paired_run, 1)[0]
    images = {name: x[None] for name, x in read_images(Case("x", case), info.modalities, info.image_size).items()}
    present = torch.ones(1, len(images), dtype=torch.bool)
    np.savez(tmp_path / "given.npz", present=present.numpy(), **{name: x.float().numpy() for name, x in images.items()})
    command = [sys.executable, "-c", WITHOUT_TORCH, str(script), str(folder), str(tmp_path / "given.npz"), "3"]
    answers = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout)
    masks, generator = json.loads((folder / "preprocessing.json").read_text())["draws"]["masks"], np.random.default_rng(0)
    drawn: dict[str, list[np.ndarray]] = {task: [] for task in info.tasks}
    for _ in range(3):
        keep = {}
        for name, about in masks.items():
            keep[name] = torch.from_numpy(generator.random((1, *about["shape"][1:])) < about["keep"])
            assert about["keep"] == 1 - nets[0].dropout_rate
        with torch.inference_mode():
            each = []
            for member, net in enumerate(nets):
                maps = net.before_dropout(net.to_input(images))
                each.append(net.after_dropout(maps, None, lambda x, site, m=member, k=keep: k[f"keep_{m}_{site}"]))
        for task in info.tasks:
            drawn[task].append(torch.stack([one[task].softmax(1) for one in each]).mean(0).numpy())
    for task, passes in drawn.items():
        np.testing.assert_allclose(answers[f"probabilities_{task}"]["mean"], np.mean(passes, axis=0), atol=1e-4)
        np.testing.assert_allclose(answers[f"probabilities_{task}"]["std"], np.std(passes, axis=0), atol=1e-4)


def test_it_says_how_it_is_asked(folder: Path, paired_run: Run) -> None:
    told = json.loads((folder / "preprocessing.json").read_text())
    assert told["inputs"]["present"]["columns"] == list(paired_run.info.modalities)
    for task, about in paired_run.info.tasks.items():
        assert told["outputs"][f"probabilities_{task}"]["classes"] == list(about["classes"])
    assert told["compared"]["on"] == "cases of the study"
    assert told["compared"]["largest_difference"] <= told["compared"]["allowed"]
    assert any("without dropout" in note for note in told["notes"])
    assert str(paired_run.folder.parent) not in json.dumps(told)


def test_what_differs_is_not_written(paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "compared", lambda *_: 0.02)
    monkeypatch.setattr(exported, "save_onnx", lambda *_: None)
    with pytest.raises(DrifaError, match=r"differ by 0\.02"):
        export(paired_run.folder, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_noise_is_asked_where_there_is_no_study(paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "compared", lambda *_: 0.0)
    monkeypatch.setattr(exported, "save_onnx", lambda *_: None)
    assert not export(pack(paired_run.folder, tmp_path / "model"), tmp_path / "out").real


def test_mistakes_are_one_sentence(paired_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mistakes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"form": "onx"}, "did you mean 'onnx'"),
        ({"form": "torch", "opset": 17}, "--opset 17 is of ONNX"),
        ({"form": "torch", "draws": True}, "--draws is of ONNX"),
    )
    for arguments, message in mistakes:
        with pytest.raises(DrifaError, match=message):
            export(paired_run.folder, out, **arguments)
    out.mkdir()
    (out / "x").touch()
    with pytest.raises(DrifaError, match="exists already"):
        export(paired_run.folder, out)
