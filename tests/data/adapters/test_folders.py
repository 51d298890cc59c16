"""Folders by class become a study, and what is wrong with them is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.data.adapters.prepare import prepare_folders
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, write_images
from tests.studies import class_indices


def test_folders_pair_modalities_by_name_and_group_by_the_expression(fake: Folder, tmp_path: Path) -> None:
    words = ["data", "prepare", "folders", str(fake("folders")), r"group=(P\d+)", "channels=ultrasound:1", "task=diagnosis"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "study")])
    assert result.exit_code == 0, result.output
    assert f"next: drifa data audit {tmp_path / 'study'}" in result.output
    study = Study.load(tmp_path / "study")
    study.check_files()
    subjects = study.subjects()
    assert subjects.modalities == ("photo", "ultrasound")
    assert subjects.present.sum(axis=0).tolist() == [12, 11]
    assert [study.modalities[name].channels for name in subjects.modalities] == [3, 1]
    assert set(subjects.group) == {f"P{number:02d}" for number in range(6)}
    # The id holds the lesion's number, and the lesion's number was its class.
    assert all(int(one[-1]) == label for one, label in zip(subjects.ids, class_indices(subjects)[:, 0], strict=True))
    assert study.tasks["diagnosis"].classes == ("benign", "malignant")


def test_one_modality_needs_no_folder_of_its_own(fake: Folder) -> None:
    study = prepare_folders(fake("folders") / "photo", modality="camera")
    assert list(study.modalities) == ["camera"]
    assert len(study.table) == 12
    assert list(prepare_folders(study.root).modalities) == ["image"]


def test_patients_folders_below_the_class_are_part_of_the_id_once_the_modality_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, "a/P1/1.png", "a/P2/1.png", "b/P3/1.png", "b/P3/2.png")
    study = prepare_folders(tmp_path, modality="scan", group="P\\d")
    assert sorted(study.table["subject"]) == ["P1/1", "P2/1", "P3/1", "P3/2"]
    assert study.tasks["label"].classes == ("a", "b")
    assert study.table["group"].nunique() == 3


def test_names_that_come_twice_get_their_class_and_published_splits_are_kept_aside(tmp_path: Path) -> None:
    names = [f"{split}/{label}/{number}.png" for split in ("train", "valid", "test") for label in "ab" for number in (1, 2)]
    study = prepare_folders(write_images(tmp_path, *names))
    assert study.table["subject"].is_unique
    assert dict(study.table["official"].value_counts()) == {"train": 4, "val": 4, "test": 4}
    assert set(study.table["split"]) == {""}
    assert set(study.table["label"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ((), {}, "no image below .* stands in folders by class"),
        (("1.png", "2.png"), {}, "no image below .* stands in folders by class"),
        (("a/1.png", "a/2.png"), {}, "the class folder 'a' only"),
        (("a/1.png", "b/c/1.png"), {}, "mixes two layouts: a/1.png and b/c/1.png"),
        (("a/1.png", "a/1.jpg", "b/2.png"), {}, "are two images of one subject and modality"),
        (("m/a/1.png", "m/b/2.png", "n/b/1.png"), {}, "m/a/1.png and n/b/1.png have one name.*another class"),
        (("a/1.png", "b/2.png"), {"group": "P("}, "is not a regular expression"),
        (("a/P1.png", "b/2.png"), {"group": "P."}, r"group=P\. finds nothing in b/2\.png"),
        (("a/1.png", "b/2.png"), {"channels": "4"}, "gives 'image' the channels '4'; use 1"),
        (("a/1.png", "b/2.png"), {"channels": "imag:1"}, r"unknown modality 'imag' \(did you mean 'image'\?\)"),
    ],
)
def test_folders_that_cannot_be_a_study_are_refused(
    tmp_path: Path, names: tuple[str, ...], options: dict[str, str], message: str
) -> None:
    with pytest.raises(DrifaError, match=message):
        prepare_folders(write_images(tmp_path, *names), **options)


def test_a_stray_image_beside_the_split_folders_changes_nothing(tmp_path: Path) -> None:
    names = [f"{split}/{label}/{number}.png" for split in ("train", "test") for label in "ab" for number in (1, 2)]
    before = prepare_folders(write_images(tmp_path, *names))
    after = prepare_folders(write_images(tmp_path, "figure.png"))
    assert after.table.equals(before.table)
    assert list(after.modalities) == ["image"]
    assert "1 image outside class folders" in after.notes


def test_split_folders_beside_others_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, "train/a/1.png", "test/b/2.png", "extra/a/3.png")
    with pytest.raises(DrifaError, match="holds 'test', the name of a split, beside 'extra'"):
        prepare_folders(tmp_path)


def test_class_folders_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, "train/Benign/1.png", "train/malignant/2.png", "test/benign/3.png")
    with pytest.raises(DrifaError, match="the class folders 'Benign' and 'benign'"):
        prepare_folders(tmp_path)


@pytest.mark.parametrize("task", ["official", "path", "split"])
def test_a_task_cannot_have_the_name_of_a_column(tmp_path: Path, task: str) -> None:
    with pytest.raises(DrifaError, match=f"task={task} is the name of a column"):
        prepare_folders(write_images(tmp_path, "a/1.png", "b/2.png"), task=task)


def test_folders_named_like_modalities_are_no_classes_unless_somebody_says_so(tmp_path: Path) -> None:
    write_images(tmp_path, "CT/1.png", "photo/1.png", "CT/2.png", "photo/2.png")
    with pytest.raises(DrifaError, match=r"'CT', 'photo' .* named like modalities; .*\(CT/<class>/IMAGE\).*modality=NAME"):
        prepare_folders(tmp_path)
    assert prepare_folders(tmp_path, modality="image").tasks["label"].classes == ("CT", "photo")
    assert prepare_folders(write_images(tmp_path, "benign/3.png")).tasks["label"].classes == ("CT", "benign", "photo")


@pytest.mark.parametrize(
    "names",
    [("CT scans", "Photos"), ("x-ray", "ultrasound images"), ("MRI_T1", "MRI_T2"), ("X ray", "CT"), ("T1", "flair_images")],
)
def test_modalities_with_a_word_beside_them_are_no_classes(tmp_path: Path, names: tuple[str, str]) -> None:
    write_images(tmp_path, *(f"{name}/{number}.png" for name in names for number in (1, 2)))
    with pytest.raises(DrifaError, match="are named like modalities"):
        prepare_folders(tmp_path)
    assert set(prepare_folders(tmp_path, modality="image").tasks["label"].classes) == set(names)


@pytest.mark.parametrize("names", [("images", "scans"), ("CT normal", "CT tumour"), ("ct", "healthy scan")])
def test_a_modality_in_the_name_of_a_class_leaves_it_a_class(tmp_path: Path, names: tuple[str, str]) -> None:
    write_images(tmp_path, *(f"{name}/{number}.png" for name in names for number in (1, 2)))
    assert set(prepare_folders(tmp_path).tasks["label"].classes) == set(names)


@pytest.mark.parametrize(
    "names",
    [
        ("training_set", "validation_set", "test_set"),
        ("Training Data", "Val Data", "Testing Data"),
        ("trainset", "valid", "test-images"),
    ],
)
def test_splits_are_known_with_a_word_behind_them(tmp_path: Path, names: tuple[str, ...]) -> None:
    study = prepare_folders(write_images(tmp_path, *(f"{name}/{label}/1.png" for name in names for label in "ab")))
    splits = dict(zip(study.table["path"].str.split("/").str[0], study.table["official"], strict=True))
    assert splits == dict(zip(names, ("train", "val", "test"), strict=True))
    assert list(study.modalities) == ["image"]
