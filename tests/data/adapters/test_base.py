"""The search for image files: what counts, what is passed over and told, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from drifa.data.adapters.base import present_classes
from drifa.data.adapters.prepare import prepare_folders
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, write_images


def test_a_circle_of_links_ends(fake: Folder) -> None:
    folder = fake("folders")
    before = prepare_folders(folder).table
    (folder / "photo" / "benign" / "loop").symlink_to(folder, target_is_directory=True)
    assert prepare_folders(folder).table.equals(before)


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    write_images(tmp_path, "a/1.png", "b/2.png")
    for name in ("a/3.webp", "a/IM0001", "b/IM0002"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "linked").symlink_to(tmp_path / "a", target_is_directory=True)
    notes = prepare_folders(tmp_path).notes
    assert "Not read: files of other kinds (2 without an ending, 1 *.webp; DICOM needs the ending .dcm)" in notes
    assert "linked folders (linked)" in notes


def test_file_names_that_are_no_text_are_named(tmp_path: Path) -> None:
    write_images(tmp_path, "a/1.png", "b/2.png", "b/3\r.png")
    with pytest.raises(DrifaError, match=r"'b/3\\r.png'.*rename the file"):
        prepare_folders(tmp_path)
    (tmp_path / "b" / "3\r.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/b/\xff.png"))
    with pytest.raises(DrifaError, match=r"udcff.png'.*rename the file"):
        prepare_folders(tmp_path)


def test_file_names_in_any_script_and_with_any_space_are_kept(tmp_path: Path) -> None:
    names = ["a/Bild 1 \u00fc.png", "a/Screenshot 9.41\u202fAM.png", "b/\u56f3\u3000\u0661.png", "b/e\u0301\u00a0.png"]
    prepare_folders(write_images(tmp_path, *names)).save(tmp_path / "study")
    study = Study.load(tmp_path / "study")
    assert sorted(study.table["path"]) == sorted(names)
    study.check_files()


def test_image_files_are_found_at_any_depth_whatever_the_case_of_their_ending(tmp_path: Path) -> None:
    write_images(tmp_path, "b.png", "a/deep/2.JPG", "a/1.bmp", "a/._1.bmp")
    (tmp_path / "a" / "notes.txt").write_text("text")
    assert image_files(tmp_path) == ["a/1.bmp", "a/deep/2.JPG", "b.png"]
    assert image_files(tmp_path, (".txt",)) == ["a/notes.txt"]
    assert unread_files(tmp_path, (".jpg", ".png")) == " Not read: files of other kinds (1 *.bmp, 1 *.txt)."
    assert unread_files(tmp_path, (".jpg", ".png", ".bmp", ".txt")) == ""


def test_a_linked_file_counts_and_one_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, "a/1.png")
    (tmp_path / "a" / "2.png").symlink_to("1.png")
    assert image_files(tmp_path) == ["a/1.png", "a/2.png"]
    (tmp_path / "a" / "1.png").unlink()
    with pytest.raises(DrifaError, match=r"a/2\.png cannot be read \(No such file.*mend or remove the link"):
        image_files(tmp_path)


def test_the_classes_that_are_there_keep_their_order_and_the_others_are_told() -> None:
    assert present_classes(pd.Series(["c", "a", "c"]), ("c", "b", "a"), "t") == (
        ("c", "a"),
        " Classes without an image here, left out of the study: b.",
    )
    assert present_classes(pd.Series(["b", "a"]), ("a", "b"), "t") == (("a", "b"), "")
    with pytest.raises(DrifaError, match="only class 'a' of task 't'; nothing can be learned from one class"):
        present_classes(pd.Series(["a", "a"]), ("a", "b"), "t")
