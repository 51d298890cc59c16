"""Nickparvar's MRI becomes a study that keeps the published split aside."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from drifa.data.adapters.prepare import ADAPTERS
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, all_files


def test_nickparvar_keeps_the_published_split_beside_an_empty_one(fake: Folder, tmp_path: Path) -> None:
    folder = fake("nickparvar")
    study = ADAPTERS["nickparvar"].prepare(folder)
    assert Counter(study.table["official"]) == {"train": 24, "test": 8}
    assert set(study.table["split"]) == {""}
    assert "Training/glioma/Tr-gl_0010" in set(study.table["subject"])
    assert (study.table["group"] == study.table["subject"]).all()
    assert (
        study.table["path"].str.split("/").str[0] == study.table["official"].map({"train": "Training", "test": "Testing"})
    ).all()
    # Training alone, given as such and in other letters, is the same images.
    (folder / "Training").rename(folder / "training")
    alone = ADAPTERS["nickparvar"].prepare(folder / "training")
    assert set(alone.table["subject"]) == set(study.table["subject"][study.table["official"] == "train"])
    assert set(alone.table["official"]) == {"train"}


def test_a_linked_folder_is_not_entered_and_a_circle_of_linked_files_is_named(fake: Folder) -> None:
    folder = fake("nickparvar")
    (folder / "Training" / "glioma" / "again").symlink_to(folder, target_is_directory=True)
    assert len(ADAPTERS["nickparvar"].prepare(folder).table) == 32
    (folder / "Training" / "glioma" / "a.jpg").symlink_to("b.jpg")
    (folder / "Training" / "glioma" / "b.jpg").symlink_to("a.jpg")
    with pytest.raises(DrifaError, match=r"glioma/\w\.jpg is a circle of links; mend or remove the link"):
        ADAPTERS["nickparvar"].prepare(folder)


def test_real_nickparvar_has_the_images_of_its_folders(real: Folder) -> None:
    folder = real("nickparvar")
    study = ADAPTERS["nickparvar"].prepare(folder)
    files = [path for path in all_files(folder) if path.suffix == ".jpg"]
    assert Counter(study.table["tumour_type"]) == Counter(path.parent.name for path in files)
    sides = Counter(path.parent.parent.name for path in files)
    assert Counter(study.table["official"]) == {"train": sides["Training"], "test": sides["Testing"]}
    study.check_files()
