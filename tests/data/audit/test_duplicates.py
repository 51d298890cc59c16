"""Copies: which rows show the same, and what that means for labels, groups and splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from drifa.data import split
from drifa.data.audit import audit
from drifa.data.audit.duplicates import components
from drifa.data.study.schema import Modality
from tests.data.audit.made import make, only, picture, rules


def test_components_are_the_classes_of_an_equivalence() -> None:
    assert components([(5, 1), (1, 7), (2, 3)], 9) == [[1, 5, 7], [2, 3]]
    assert components([], 4) == []


def test_the_same_pixels_in_another_encoding_are_exact_duplicates(tmp_path: Path) -> None:
    study = make(tmp_path)
    Image.fromarray(picture(0)).save(tmp_path / "001.png", optimize=True, compress_level=1)
    Image.fromarray(picture(0)).save(tmp_path / "bitmap.bmp")
    study = replace(study, table=study.table.assign(path=study.table["path"].replace("002.png", "bitmap.bmp")))
    result = audit(study)
    one = only(result, "exact_duplicates")
    assert one.data["members"] == [["000.png", "001.png", "bitmap.bmp"]]
    assert (one.severity, one.data["pairs"], one.data["clusters_across_groups"]) == ("warning", 3, 1)
    assert result.clusters == ((0, 1, 2),)


def test_a_grey_file_and_its_rgb_copy_are_exact_duplicates(tmp_path: Path) -> None:
    study = make(tmp_path)
    grey = picture(0)[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "000.png")
    Image.fromarray(np.repeat(grey[:, :, None], 3, axis=2)).save(tmp_path / "001.png")
    assert only(audit(study), "exact_duplicates").data["members"] == [["000.png", "001.png"]]


def test_duplicates_within_one_group_are_a_note(tmp_path: Path) -> None:
    study = make(tmp_path, group=["g", "x1", "g", *(f"y{number}" for number in range(57))])
    Image.fromarray(picture(0)).save(tmp_path / "002.png")
    result = audit(study)
    assert only(result, "exact_duplicates").severity == "info"
    assert result.ok


def test_copies_with_different_labels_are_an_error_where_pixels_agree(tmp_path: Path) -> None:
    study = make(tmp_path)
    Image.fromarray(picture(0)).save(tmp_path / "001.png")
    Image.fromarray(picture(4)).save(tmp_path / "005.jpg", quality=60)
    study = replace(study, table=study.table.assign(path=study.table["path"].replace("005.png", "005.jpg")))
    result = audit(study)
    conflicts = {one.severity: one for one in result.findings if one.rule == "conflicting_labels"}
    assert set(conflicts["error"].files) == {"000.png", "001.png"}
    assert set(conflicts["warning"].files) == {"004.png", "005.jpg"}
    assert not result.ok


def test_a_split_that_cuts_a_picture_or_a_group_is_an_error(tmp_path: Path) -> None:
    study = split(make(tmp_path), "strict", seed=0)[0]
    train, test = (study.table.index[study.table["split"] == name][0] for name in ("train", "test"))
    Image.fromarray(picture(int(train))).save(tmp_path / f"{test:03d}.png")
    result = audit(study)
    assert set(only(result, "duplicates_across_splits").files) == {f"{train:03d}.png", f"{test:03d}.png"}
    assert "groups_across_splits" not in rules(result)
    pairs = [f"g{number // 2}" for number in range(60)]
    cut = split(replace(study, table=study.table.assign(group=pairs, split=""), split_protocol=""), "paper", seed=0)[0]
    assert only(audit(cut), "groups_across_splits").severity == "error"


def test_a_task_is_not_blamed_for_images_that_it_is_not_answered_from(tmp_path: Path) -> None:
    study = make(tmp_path)
    Image.fromarray(picture(0)).save(tmp_path / "001.png")
    kinds = ["scan" if number < 2 else "photo" for number in range(60)]
    modalities = {"photo": Modality("photo"), "scan": Modality("scan")}
    study = replace(study, table=study.table.assign(modality=kinds), modalities=modalities)
    assert "conflicting_labels" not in rules(audit(study))
    both = replace(study, tasks={"kind": replace(study.tasks["kind"], modalities=("photo", "scan"))})
    one = only(audit(both), "conflicting_labels")
    assert "1 set of images of 'scan' with the same pixels has different labels of task 'kind'" in one.message
    assert one.data["members"] == [["000.png", "001.png"]]
