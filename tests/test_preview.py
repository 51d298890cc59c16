"""The preview shows training images, as training reads and augments them, and nothing that a page must not hold."""

from __future__ import annotations

import base64
import io
import re
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa import DrifaError
from drifa.config import AugmentConfig, Config, make_config
from drifa.data import ImageCache, Study, make_phantom, prepare, split
from drifa.preview import COLOURS, choose_subjects, told, write_preview
from tests.report_page import Page

STILL = {"degrees": 0, "shift": 0}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_phantom(tmp_path_factory.mktemp("preview") / "study", 60, 32, paired=False, numbers=True)


@pytest.fixture(scope="module")
def brats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brats")
    runpy.run_path(str(Path(__file__).parent / "data" / "brats" / "data.py"))["write"](folder / "raw")
    prepare("brats", folder / "raw", folder / "study")
    return folder / "study"


def config_of(study: Study, /, **data: object) -> Config:
    return make_config({"data": {"study": str(study.root), "image_size": 24, **data}})


def pictures(page: Page) -> dict[str, np.ndarray]:
    """Alternative text -> pixels."""
    found = {}
    for tag, attributes in page.tags:
        if tag == "img":
            kind, data = (attributes["src"] or "").split(",")
            assert kind == "data:image/png;base64"
            found[attributes["alt"] or ""] = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


def test_every_class_of_every_modality_is_shown_by_training_subjects_alone(study: Study, tmp_path: Path) -> None:
    path, groups = write_preview(config_of(study), tmp_path / "page.html", per_class=2)
    page = Page(path)
    assert page.open == []
    made = split(study)[0]
    train = {str(made.subjects().ids[row]) for row in made.subjects().in_split("train")}
    shown = {text.split(" of ")[1].split(",")[0] for text in pictures(page)}
    assert shown <= train
    assert {group.task for group in groups} == set(study.tasks)
    for number, (name, task) in enumerate(study.tasks.items(), start=1):
        for title in task.classes:
            assert page.has(f"task-{number}", f"{title} 2 of "), (name, title)
    assert {text.split(" of ")[0] for text in pictures(page)} == set(study.modalities)
    assert all(len(group.shown) == 2 for group in groups)


def test_a_number_is_shown_by_quarters_of_its_range(study: Study) -> None:
    groups = [group for group in choose_subjects(split(study)[0], 3, 0) if group.task == "radius"]
    assert len(groups) == 4
    lows = [float(re.findall(r"from ([\d.]+)", group.title)[0]) for group in groups]
    assert lows == sorted(lows)


def test_pictures_are_those_that_training_reads(study: Study, tmp_path: Path) -> None:
    found = pictures(Page(write_preview(config_of(study), tmp_path / "page.html")[0]))
    cache, subjects = ImageCache.build(study, 24, tmp_path / "cache"), study.subjects()
    for text, picture in found.items():
        modality, _, rest = text.partition(" of ")
        subject, how = rest.split(", ")
        row = subjects.image[subjects.ids.tolist().index(subject), subjects.modalities.index(modality)]
        read = cache.read(modality, np.array([row]))[0].permute(1, 2, 0).numpy().squeeze()
        assert picture.shape == read.shape
        assert np.array_equal(picture, read) == (how == "as read")
    still = pictures(Page(write_preview(config_of(study, **STILL), tmp_path / "page.html")[0]))
    for text, picture in still.items():
        assert np.array_equal(picture, still[text.replace("augmented", "as read")])


def test_the_seed_decides_and_more_subjects_are_added_to_the_others(study: Study, tmp_path: Path) -> None:
    texts = [
        write_preview(config_of(study), tmp_path / "page.html", seed=seed)[0].read_text(encoding="utf-8") for seed in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]
    made = split(study)[0]
    for few, many in zip(choose_subjects(made, 2, 0), choose_subjects(made, 5, 0), strict=True):
        assert set(few.shown) <= set(many.shown)


def test_the_page_warns_asks_nobody_and_escapes_what_a_table_holds(study: Study, tmp_path: Path) -> None:
    odd = replace(study, name="<i>odd", source="a clinic", table=study.table.assign(subject="<b>&" + study.table["subject"]))
    odd.save(tmp_path / "study")
    page = Page(write_preview(config_of(study, study=str(tmp_path / "study")), tmp_path / "page.html")[0])
    assert "This page holds images of patients" in page.source
    own = Page(write_preview(config_of(study), tmp_path / "own.html")[0])
    assert "images of patients" not in own.source  # the phantom's are synthetic
    assert "http" not in re.sub(r"base64,[^\"]*", "", page.source)
    assert not {"script", "link", "iframe", "b", "i"} & {tag for tag, _ in page.tags}
    assert "&lt;b&gt;&amp;" in page.source


def test_slices_of_volumes_are_shown_with_the_outlines_of_their_masks(brats: Path, tmp_path: Path) -> None:
    data = {"study": str(brats), "tasks": ["tumour"], "image_size": 32, "protocol": "kfold", "folds": 4, "flip": 0.5}
    page = Page(write_preview(make_config({"data": data}), tmp_path / "page.html", per_class=2)[0])
    found = pictures(page)
    assert len(found) == 2 * 2 * 4
    for text, picture in found.items():
        assert picture.shape == (32, 32, 3)
        assert (picture == COLOURS[0]).all(axis=2).any(), text
    assert page.has("augmentation", "anterior up")
    still = pictures(Page(write_preview(make_config({"data": data | STILL | {"flip": 1.0}}), tmp_path / "page.html")[0]))
    for text, picture in still.items():
        assert np.array_equal(still[text.replace("as read", "augmented")], picture[:, ::-1]) or "augmented" in text


def test_what_cannot_be_shown_is_refused_and_nothing_is_written(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    (tmp_path / "folder.html").mkdir()
    for target, per_class, data, message in (
        (out, 0, {}, "--per-class 0 shows nothing; take 1 or more"),
        (tmp_path / "folder.html", 1, {}, r"folder\.html is a folder; name a file in it"),
        (tmp_path / "study.csv", 1, {}, r"study\.csv is not named like a page; take .*study\.html"),
        (out, 1, {"study": str(tmp_path / "no")}, "no study at"),
        (out, 1, {"augment": {"photos": {"flip": 1}}}, "did you mean 'photo'"),
        (out, 1, {"image_size": 0}, "is for segmentation"),
        (out, 1, {"hue": 0.1, "modalities": ["ultrasound"]}, "data.hue=0.1 is for images in colour"),
        (out, 1, {"protocol": "given"}, "split"),
    ):
        with pytest.raises(DrifaError, match=message):
            write_preview(config_of(study, **data), target, per_class)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


def test_what_else_changes_the_rows_is_named(study: Study, tmp_path: Path) -> None:
    config = config_of(study)
    assert "Not shown" not in Page(write_preview(config, tmp_path / "page.html", 1)[0]).source
    config.train.mixup = 0.2
    assert Page(write_preview(config, tmp_path / "page.html", 1)[0]).has("augmentation", "Not shown: train.mixup=0.2.")


def test_an_augmentation_is_told_as_it_is() -> None:
    assert told(AugmentConfig(degrees=0, shift=0), 3) == "left as it is"
    assert told(AugmentConfig(degrees=5, flip=0.5, hue=0.1), 1) == "turned by up to ±5°, left and right swapped in 50% of cases"
    assert told(AugmentConfig(hue=0.1), 3) == "hue changed by up to ±0.1 of the circle"
