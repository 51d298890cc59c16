"""Where maps stand in for images, answers, training and resume are those of the images."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from drifa.config import Config, make_config
from drifa.data import ImageCache, make_phantom
from drifa.data.cache.map_cache import MapCache
from drifa.errors import DrifaError
from drifa.evaluation.evaluate import evaluate
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.runs.encoded import changing, map_encoder, with_maps
from drifa.runs.run import Run
from drifa.training.train import resume, train

STILL = {"degrees": 0, "shift": 0}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "vit.safetensors"
    save_file(timm.create_model("test_vit").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two phantoms, one of them unpaired, so that partners are met."""
    folder = tmp_path_factory.mktemp("frozen")
    make_phantom(folder / "study", subjects=60, image_size=32, paired=False)
    make_phantom(folder / "other", subjects=12, image_size=32, paired=False, seed=9)
    return folder


def config(folder: Path, weights: Path, data: dict[str, Any] | None = None, **train: Any) -> Config:
    return make_config(
        {
            "data": {"study": str(folder / "study"), "image_size": 32, **STILL, **(data or {})},
            "model": {
                "backbone": "test_vit",
                "attach": "intermediates",
                "pretrained": str(weights),
                "freeze": True,
                "backbone_args": {"out_indices": [2, 5]},
                "reduction": 4,
            },
            "train": {"epochs": 2, "members": 2, "batch_size": 16, "threads": 1, "accelerator": "cpu", **train},
            "evaluate": {"passes": 3, "partners": 2, "resamples": 30},
        }
    )


@pytest.fixture(scope="module")
def run(folder: Path, weights: Path) -> Run:
    return train(config(folder, weights, {"cache": str(folder / "kept")}), folder / "run", quiet=True)


@pytest.fixture(scope="module")
def uncached(folder: Path, weights: Path) -> Run:
    return train(config(folder, weights, {"maps_gb": 0}), folder / "uncached", quiet=True)


def never(*_: Any) -> Any:
    raise AssertionError("the encoder ran")


def test_training_on_maps_is_training_on_images(run: Run, uncached: Run) -> None:
    assert list((run.folder.parent / "kept").glob("photo-maps-32px-*.npy"))
    assert not list((uncached.folder.parent / ".cache").glob("*-maps-*"))
    for number in range(2):
        one, other = (pd.read_csv(each.member(number) / "history.csv").drop(columns="seconds") for each in (run, uncached))
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_a_run_answers_from_maps_as_from_images(run: Run) -> None:
    study, nets = run.study(), run.networks()
    maps, images = run.cache(study, nets=nets), run.cache(study)
    assert isinstance(maps, MapCache)
    assert isinstance(images, ImageCache)
    subjects = study.subjects()
    shown = [
        {name: source.read(name, subjects.image[:12, i]) for i, name in enumerate(subjects.modalities)}
        for source in (maps, images)
    ]
    present, keys = torch.from_numpy(subjects.present[:12]), torch.arange(36).reshape(3, 12)
    with torch.inference_mode():
        for net in nets:
            one, other = (net.answer_and_sample(net.to_input(each), present, keys) for each in shown)
            for task in study.tasks:
                for x, y in zip(one, other, strict=True):
                    torch.testing.assert_close(x[task].softmax(-1), y[task].softmax(-1), rtol=0, atol=1e-4)


def test_evaluation_reads_maps_only(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(run.folder, folder / "other", "all")  # caches the other study
    monkeypatch.setattr("drifa.runs.encoded.map_encoder", _known(run))
    monkeypatch.setattr("drifa.backbones.intermediates.EncoderBranch.encode", never)
    _, metrics = evaluate(run.folder, subsets=True)
    assert set(metrics) == set(run.info.tasks)
    evaluate(run.folder, folder / "other", "all")


def _known(run: Run) -> Any:
    """As :func:`map_encoder`, with the blank image that tells the shapes encoded beforehand."""
    net = run.networks()[0]
    found = {name: map_encoder(net, name, 32) for name in net.modalities}
    return lambda net, name, *_: found[name]


def test_a_new_file_goes_through_the_encoder_and_its_partners_do_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, study = Predictor.open(run.folder), run.study()
    monkeypatch.setattr("drifa.runs.encoded.map_encoder", _known(run))
    row = int(np.flatnonzero(study.table["modality"] == "photo")[0])
    case = Case("new", {"photo": study.image_path(row)})
    read: list[str] = []
    for name in study.modalities:
        branch = predictor.nets[0].branches[name]
        branch.encoder.register_forward_hook(lambda *_, name=name: read.append(name))
    answer = predictor.predict([case]).cases[0]
    assert answer.condition == "partners"
    assert set(read) == {"photo"}


def test_a_stopped_training_goes_on_to_the_same_weights(run: Run, folder: Path, weights: Path) -> None:
    stopped = train(config(folder, weights, epochs=1, members=1), folder / "stopped", quiet=True)
    resumed = resume(stopped.folder, {"epochs": 2}, quiet=True)
    mine, theirs = (load_file(each.member(0) / "model.safetensors") for each in (resumed, run))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_maps_belong_to_weights_and_normalisation(run: Run, folder: Path) -> None:
    one, other = run.networks()
    key = map_encoder(one, "photo", 32).key
    assert key == map_encoder(other, "photo", 32).key
    other.normalisation = {"photo": ([0.4] * 3, [0.2] * 3)}
    assert map_encoder(other, "photo", 32).key != key
    other.normalisation = one.normalisation
    next(other.branches["photo"].encoder.parameters()).data[0] += 1
    assert map_encoder(other, "photo", 32).key != key
    images = run.cache(run.study())
    mixed = with_maps(run.config, images, [one, other], folder / "kept")
    assert isinstance(mixed, MapCache)
    assert set(mixed.shapes) == {"ultrasound"}  # of the photos' encoders there are two


@pytest.mark.parametrize(
    ("data", "recipe", "expected"),
    [
        ({}, {}, []),
        ({"degrees": 20}, {}, ["data.degrees=0"]),
        (
            {"quarter_turns": True, "augment": {"photo": {"flip": 0.5}}},
            {},
            ["data.augment.photo.flip=0", "data.quarter_turns=false"],
        ),
        ({"flip": 0.5, "augment": {"photo": {"flip": 0}}}, {}, []),
        ({}, {"mixup": 0.2}, ["train.mixup=0"]),
    ],
)
def test_what_changes_images_is_named_as_it_is_switched_off(
    folder: Path, weights: Path, data: dict[str, Any], recipe: dict[str, Any], expected: list[str]
) -> None:
    assert changing(config(folder, weights, data, **recipe), "photo") == expected


def test_one_line_says_why_an_encoder_runs_every_epoch(
    folder: Path, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = config(folder, weights, {"degrees": 5, "augment": {"ultrasound": {"degrees": 0}}}, epochs=1, members=1)
    with caplog.at_level(logging.WARNING, "drifa"):
        train(wanted, tmp_path / "run", quiet=True)
    told = [record.message for record in caplog.records if "every epoch" in record.message]
    assert told == [
        "the frozen encoder of photo runs every epoch, as training changes its images; its maps are computed once with "
        "data.degrees=0"
    ]
    assert {re.match("[a-z]+", path.name)[0] for path in (tmp_path / ".cache").glob("*-maps-*")} == {"ultrasound"}


def test_maps_beyond_the_bound_are_refused_before_anything_is_written(folder: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"GB, more than data\.maps_gb=1e-05"):
        train(config(folder, weights, {"maps_gb": 1e-5}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["freeze_epochs", "trunk_lr"])
def test_settings_of_pretrained_parts_that_learn_are_refused_beside_freeze(
    folder: Path, weights: Path, tmp_path: Path, key: str
) -> None:
    value = 1 if key == "freeze_epochs" else 0.3
    with pytest.raises(DrifaError, match=rf"train\.{key}={value} is for pretrained parts that learn, and model\.freeze=true"):
        train(config(folder, weights, **{key: value}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
