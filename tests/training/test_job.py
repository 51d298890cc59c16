"""What a training is made of fits the study and the configuration, or is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from drifa import DrifaError
from drifa.config import make_config
from drifa.data import Modality, Study, Task, make_phantom, split
from drifa.data.targets import RegionTarget
from drifa.tasks import learn_kinds
from drifa.training.job import build_network, check_training_split, make_loaders
from drifa.training.train import train
from tests.studies import tiny_config
from tests.training.recipes import recipe


class Numbers:
    """A source whose images are their row numbers, as floats."""

    def __init__(self, count: int) -> None:
        self.count = count

    def read(self, modality: str, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(rows.astype(np.float32)).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("data", {"image_size": 16}, r"16×16 pixels.*32×32 at least"),
        ("data", {"image_size": 0}, "is for segmentation"),
        ("data", {"hue": 0.1, "modalities": ["ultrasound"]}, r"data\.hue=0\.1 is for .* study 'phantom' has none"),
        ("data", {"augment": {"ultrasound": {"hue": 0.1}}}, r"ultrasound\.hue=0\.1 .* 'ultrasound' has none"),
        ("model", {"fusion": "driffa"}, "did you mean 'drifa'"),
        ("model", {"backbone": "resnet81"}, "near names: resnet18"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    study: Path, tmp_path: Path, section: str, settings: dict[str, object], message: str
) -> None:
    config = tiny_config(study)
    for key, value in settings.items():
        setattr(getattr(config, section), key, value)
    config.model.backbone_args = {}
    with pytest.raises(DrifaError, match=message):
        train(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("key", "value"), [("width", 0.5), ("norm", "group"), ("indices", "mean"), ("output", "classes")])
def test_a_setting_of_segmentation_networks_is_refused_for_images(study: Path, tmp_path: Path, key: str, value: object) -> None:
    config = recipe(study)
    setattr(config.model, key, value)
    with pytest.raises(DrifaError, match=rf"model\.{key} is for segmentation"):
        train(config, tmp_path / "run", quiet=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val": "train"}, "the val split of study 'phantom' is empty; it needs more groups, other fractions, or"),
        ({"test": "train"}, "the test split of study 'phantom' is empty"),
    ],
)
def test_a_split_that_lacks_a_side_is_refused(study: Path, change: dict[str, str], message: str) -> None:
    made = split(Study.load(study))[0]
    check_training_split(made)
    with pytest.raises(DrifaError, match=message):
        check_training_split(replace(made, table=made.table.assign(split=made.table["split"].replace(change))))


def test_a_class_that_training_never_meets_is_refused(study: Path) -> None:
    made = split(Study.load(study))[0]
    moved = made.table["split"].where((made.table["surface"] != "ragged") | (made.table["split"] != "train"), "test")
    wrong = replace(made, table=made.table.assign(split=moved), split_protocol="paper")
    with pytest.raises(DrifaError, match="class 'ragged' of task 'surface' has no image in the training split"):
        check_training_split(wrong)


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("train", {"mixup": 0.2}, r"train\.mixup=0\.2 is for tasks of subjects"),
        ("train", {"sampling": "balanced"}, r"train\.sampling=balanced is for tasks of subjects"),
        ("data", {"hue": 0.1}, r"data\.hue=0\.1 is for images in colour"),
        ("data", {"augment": {"flair": {"flip": 0.5}}}, r"data\.augment is for images"),
    ],
)
def test_a_setting_of_images_is_refused_for_volumes(
    tmp_path: Path, section: str, settings: dict[str, object], message: str
) -> None:
    table = pd.DataFrame({"subject": ["a"], "modality": "flair", "path": "a.nii", "group": "a", "split": "", "tumour": "m.nii"})
    tasks = {"tumour": Task("tumour", RegionTarget({"WT": (1,)}), ("flair",))}
    made = Study("volumes", tmp_path, table, {"flair": Modality("flair", 1)}, tasks)
    raw: dict[str, dict[str, object]] = {"data": {"study": "volumes"}, "train": {}}
    raw[section] |= settings
    with pytest.raises(DrifaError, match=message):
        build_network(make_config(raw), made, {})


def test_the_network_takes_what_the_study_has_and_answers_what_it_asks(study: Path) -> None:
    made = split(Study.load(study))[0]
    config = tiny_config(study)
    config.model.task_modalities = {"spread": ["photo"]}
    net = build_network(config, made, learn_kinds(made, config))
    assert dict(net.config["modalities"]) == {"photo": 3, "ultrasound": 1}
    assert {task: len(made.tasks[task].classes) for task in made.tasks} == dict(net.config["tasks"])
    assert {task: list(names) for task, names in net.config["task_modalities"].items()} == {
        **{task: list(one.modalities) for task, one in made.tasks.items()},
        "spread": ["photo"],
    }
    with pytest.raises(DrifaError, match="has no task for the modalities"):
        build_network(config, replace(made, tasks={}), {})


@pytest.mark.parametrize("paired", [True, False])
def test_validation_judges_every_subject_once_on_every_task_and_training_meets_training_alone(
    tmp_path: Path, paired: bool
) -> None:
    made = split(make_phantom(tmp_path / "study", 60, 32, paired=paired), fractions=(0.6, 0.2, 0.2))[0]
    config = tiny_config(tmp_path / "study", batch_size=7)
    config.data.image_size = 16
    tasks = {task: list(one.modalities) for task, one in made.tasks.items()}
    module = SimpleNamespace(current_epoch=0, net=SimpleNamespace(config={"task_modalities": tasks}))
    source = Numbers(made.subjects().image.shape[0])
    training, validation = make_loaders(config, made, source, module, seed=0)
    subjects, side = made.subjects(), {}
    for name, column in zip(subjects.modalities, subjects.image.T, strict=True):
        side |= {(name, int(row)): subject for subject, row in enumerate(column) if row >= 0}
    judged: dict[str, list[int]] = {task: [] for task in subjects.tasks}
    for batch in validation:
        for column, task in enumerate(subjects.tasks):
            for row in np.flatnonzero(batch.known[:, column].numpy()):
                shown = {
                    side[name, int(batch.images[name][row, 0, 0, 0])]
                    for name in tasks[task]
                    if batch.present[row, list(batch.images).index(name)]
                }
                judged[task] += shown
    for task in subjects.tasks:
        known = subjects.known_of(task)[subjects.in_split("val")]
        assert sorted(judged[task]) == subjects.in_split("val")[known].tolist()
    shown = {
        side[name, int(value)]
        for batch in training
        for column, name in enumerate(batch.images)
        for value in batch.images[name][batch.present[:, column], 0, 0, 0]
    }
    assert shown <= set(subjects.in_split("train").tolist())
    assert len(shown) > 0.8 * len(subjects.in_split("train"))
