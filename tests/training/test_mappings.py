"""A setting by task or by modality is used, or refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drifa import DrifaError
from drifa.config import make_config
from drifa.data import Study, make_phantom
from drifa.data.tabular import add_tabular
from drifa.training.mappings import check_mappings
from drifa.training.train import train
from tests.studies import tiny_config


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Images and columns, classes and a number."""
    study = make_phantom(tmp_path_factory.mktemp("mixed"), subjects=30, image_size=32, numbers=True)
    table = study.table.assign(age=[str(20 + row % 50) for row in range(len(study.table))])
    table["age"] = table.groupby("subject")["age"].transform("first")
    return add_tabular(Study(study.name, study.root, table, study.modalities, study.tasks), "clinic", ["age"])


def check(study: Study, section: str, settings: dict[str, Any]) -> None:
    raw: dict[str, dict[str, Any]] = {"data": {"study": "s"}}
    raw.setdefault(section, {}).update(settings)
    check_mappings(make_config(raw), study)


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("train", {"task_weights": {"surfaces": 2}}, r"task_weights names the task 'surfaces', .*did you mean 'surface'"),
        ("train", {"class_weights": {"surfaces": "sqrt"}}, r"class_weights names the task 'surfaces'.*did you mean 'surface'"),
        ("model", {"task_modalities": {"dept": ["photo"]}}, r"names the task 'dept'.*did you mean 'depth'"),
        ("model", {"task_modalities": {"depth": ["fotos"]}}, r"task_modalities\.depth names the unknown modality 'fotos'"),
        ("model", {"task_modalities": {"depth": []}}, r"task_modalities\.depth names no modality"),
        ("data", {"augment": {"photos": {"hue": 0.1}}}, r"unknown modality 'photos' \(did you mean 'photo'"),
        ("data", {"augment": {"clinic": {"flip": 0.1}}}, r"augment is for images, and modality 'clinic'"),
        ("model", {"backbone": {"photos": "resnet18"}}, r"model\.backbone names the unknown modality 'photos'"),
        ("model", {"pretrained": {"photos": True}}, r"model\.pretrained names the unknown modality 'photos'"),
        ("model", {"backbone_args": {"photos": {"channels": [4]}}}, r"backbone_args names the unknown modality 'photos'"),
    ],
)
def test_a_name_that_nothing_looks_up_is_refused(mixed: Study, section: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        check(mixed, section, settings)


def test_weights_of_classes_are_for_tasks_of_classes(mixed: Study) -> None:
    number = next(name for name, task in mixed.tasks.items() if task.target.kind == "number")
    with pytest.raises(DrifaError, match=rf"weighs classes, and task '{number}' is of the kind number"):
        check(mixed, "train", {"class_weights": {number: "sqrt"}})
    check(mixed, "train", {"class_weights": {"surface": "sqrt"}})
    check(mixed, "train", {"class_weights": "sqrt"})


def test_a_loss_of_nothing_is_refused(mixed: Study) -> None:
    with pytest.raises(DrifaError, match="gives every task the weight 0"):
        check(mixed, "train", {"task_weights": dict.fromkeys(mixed.tasks, 0)})
    check(mixed, "train", {"task_weights": {"surface": 0}})


def test_names_of_the_study_and_arguments_for_all_backbones_pass(mixed: Study) -> None:
    check(mixed, "model", {"backbone_args": {"channels": [4, 4, 8, 8]}, "pretrained": {"photo": False}})
    check(mixed, "model", {"backbone_args": {"photo": {"channels": [4, 4, 8, 8]}}, "task_modalities": {"depth": ["photo"]}})


def test_a_task_that_the_training_leaves_out_has_no_weight_in_it(study: Path, tmp_path: Path) -> None:
    config = tiny_config(study, task_weights={"surface": 2.0})
    config.data.tasks = ["depth"]
    with pytest.raises(DrifaError, match="task_weights names the task 'surface', which this training has not"):
        train(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
