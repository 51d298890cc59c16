"""Adapters turn the published folder layouts into studies that count what is on the disk."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drifa.data.adapters import ADAPTERS, prepare
from drifa.data.images import read_image
from drifa.data.study import Study
from drifa.errors import DrifaError

Folder = Callable[[str], Path]


def _files(folder: Path) -> list[Path]:
    return [Path(parent) / name for parent, _, names in os.walk(folder) for name in names]


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_prepared_study_is_complete_and_loads_again(fake: Folder, tmp_path: Path, name: str) -> None:
    study = prepare(name, fake(name), tmp_path / "study")
    loaded = Study.load(tmp_path / "study")
    loaded.check_files()
    assert loaded.table.astype(str).equals(study.table.astype(str))
    assert read_image(loaded.image_path(0), 3).ndim == 3
    for adapter in (ADAPTERS[name],):
        assert (study.source, study.licence, study.citation) == (adapter.source, adapter.licence, adapter.citation)
    (task,) = study.tasks.values()
    assert sum(ADAPTERS[name].counts[label] for label in task.classes) == ADAPTERS[name].counts["images"]


def test_ham10000_groups_by_lesion_and_keeps_the_patients_columns(fake: Folder) -> None:
    study = ADAPTERS["ham10000"].prepare(fake("ham10000"))
    assert len(study.table) == 35
    assert study.table["group"].nunique() == 28
    assert study.table.groupby("group")["skin_lesion"].nunique().max() == 1
    assert study.table["age"].tolist().count("") == 1
    assert {"dx_type", "age", "sex", "localization"} <= set(study.table.columns)


def test_ham10000_counts_what_it_skips(fake: Folder) -> None:
    folder = fake("ham10000")
    images = sorted(path for path in _files(folder) if path.name.startswith("ISIC"))
    images[0].unlink()
    images[1].rename(images[1].with_name("ISIC_0034524.png"))
    (folder / "copy").mkdir()
    (folder / "copy" / images[2].name).write_bytes(images[2].read_bytes())
    (folder / "copy" / f"._{images[3].name}").write_bytes(b"what macOS leaves")
    study = ADAPTERS["ham10000"].prepare(folder)
    assert len(study.table) == 33
    assert "2 metadata rows without an image, 1 images without metadata, 1 further copies" in study.notes


def test_ham10000_reads_the_tab_separated_table_of_dataverse(fake: Folder) -> None:
    folder = fake("ham10000")
    table = folder / "HAM10000_metadata.csv"
    (folder / "HAM10000_metadata.tab").write_text(table.read_text().replace(",", "\t"))
    table.unlink()
    assert len(ADAPTERS["ham10000"].prepare(folder).table) == 35


def test_a_class_that_a_partial_copy_lacks_is_left_out_and_noted(fake: Folder) -> None:
    folder = fake("ham10000")
    table = folder / "HAM10000_metadata.csv"
    table.write_text("\n".join(line for line in table.read_text().splitlines() if ",df," not in line) + "\n")
    study = ADAPTERS["ham10000"].prepare(folder)
    assert study.tasks["skin_lesion"].classes == ("akiec", "bcc", "bkl", "mel", "nv", "vasc")
    assert "left out of the study: df" in study.notes


def test_sipakmed_groups_by_cluster_image_and_takes_cells_only(fake: Folder) -> None:
    study = ADAPTERS["sipakmed"].prepare(fake("sipakmed"))
    assert len(study.table) == 5 * 4 * 2
    assert study.table["path"].str.contains("/CROPPED/").all()
    assert set(study.table.groupby("group").size()) == {2}
    assert (study.table["group"] == study.table["subject"].str.rsplit("_", n=1).str[0]).all()


def test_folders_without_the_dataset_are_refused(fake: Folder, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"unknown dataset 'ham1000' \(did you mean 'ham10000'\?\)"):
        prepare("ham1000", tmp_path, tmp_path / "out")
    with pytest.raises(DrifaError, match="no folder at"):
        prepare("ham10000", tmp_path / "none", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DrifaError, match=r"no HAM10000_metadata.csv below"):
        prepare("ham10000", empty, tmp_path / "out")
    with pytest.raises(DrifaError, match="no cell below"):
        prepare("sipakmed", empty, tmp_path / "out")
    folder = fake("ham10000")
    for path in _files(folder):
        if path.name.startswith("ISIC"):
            path.unlink()
    with pytest.raises(DrifaError, match="none of the 35 images"):
        prepare("ham10000", folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_real_ham10000_has_the_images_and_lesions_of_its_files(real: Folder) -> None:
    folder = real("ham10000")
    study = ADAPTERS["ham10000"].prepare(folder)
    lines = [line.split(",") for line in (folder / "HAM10000_metadata.csv").read_text().splitlines()[1:]]
    here = {path.stem for path in _files(folder)}
    listed = [line for line in lines if line[1] in here]
    assert len(study.table) == len(listed)
    assert study.table["group"].nunique() == len({line[0] for line in listed})
    assert Counter(study.table["skin_lesion"]) == Counter(line[2] for line in listed)
    study.check_files()


def test_real_sipakmed_has_the_cells_of_its_folders(real: Folder) -> None:
    folder = real("sipakmed")
    study = ADAPTERS["sipakmed"].prepare(folder)
    cells = [path for path in _files(folder) if path.parent.name == "CROPPED" and path.suffix in (".jpg", ".bmp")]
    kind = [next(part for part in path.parts[::-1] if part.startswith("im_"))[3:] for path in cells]
    assert Counter(study.table["cell"]) == Counter(kind)
    clusters = {(name, path.stem.split("_")[0]) for name, path in zip(kind, cells, strict=True)}
    assert study.table["group"].nunique() == len(clusters)
    random = np.random.default_rng(0)
    for row in random.choice(len(study.table), 5, replace=False):
        assert read_image(study.image_path(int(row)), 3).size > 0
