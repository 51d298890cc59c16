"""Adapters turn the published folder layouts into studies that count what is on the disk."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drifa.data.adapters.prepare import ADAPTERS, prepare
from drifa.data.reading.images import read_image
from drifa.data.study.study import Study
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
    assert os.path.getsize(loaded.image_path(0)) > 0
    adapter = ADAPTERS[name]
    assert (study.source, study.licence, study.citation) == (adapter.source, adapter.licence, adapter.citation)
    assert loaded.group_meaning
    per_subject = len(study.modalities)
    for task in study.tasks.values():
        if task.target.kind == "classes":
            assert sum(adapter.counts[label] for label in task.classes) * per_subject == adapter.counts["images"]


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


def test_iqothnccd_groups_are_runs_of_alike_slices(fake: Folder) -> None:
    folder = fake("iqothnccd")
    table = ADAPTERS["iqothnccd"].prepare(folder).table
    assert Counter(table["lung"]) == {"benign": 12, "malignant": 12, "normal": 12}
    # The miniature numbers its patients' three slices in a row: the runs are the patients.
    patient = table["lung"] + ((table["number"] - 1) // 3).astype(str)
    assert table.groupby(patient)["group"].nunique().max() == 1
    assert table.groupby("group")["lung"].nunique().max() == 1
    assert table["group"].nunique() == patient.nunique() == 12


def test_iqothnccd_joins_over_a_gap_in_the_numbering_and_whatever_the_case(fake: Folder) -> None:
    folder = fake("iqothnccd")
    home = folder / "The IQ-OTHNCCD lung cancer dataset"
    (home / "Bengin cases" / "Bengin case (2).jpg").unlink()
    (home / "Bengin cases").rename(folder / "BENGIN CASES")
    table = ADAPTERS["iqothnccd"].prepare(folder).table.set_index("subject")
    assert table.loc["benign/1", "group"] == table.loc["benign/3", "group"] != table.loc["benign/4", "group"]


def test_a_linked_folder_is_not_entered_and_a_circle_of_linked_files_is_named(fake: Folder) -> None:
    folder = fake("nickparvar")
    (folder / "Training" / "glioma" / "again").symlink_to(folder, target_is_directory=True)
    assert len(ADAPTERS["nickparvar"].prepare(folder).table) == 32
    (folder / "Training" / "glioma" / "a.jpg").symlink_to("b.jpg")
    (folder / "Training" / "glioma" / "b.jpg").symlink_to("a.jpg")
    with pytest.raises(DrifaError, match=r"glioma/\w\.jpg is a circle of links; mend or remove the link"):
        ADAPTERS["nickparvar"].prepare(folder)


def test_an_option_that_an_adapter_does_not_have_is_refused_with_the_nearest(fake: Folder, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"unknown option 'varient' of brats \(did you mean 'variant'\?\)"):
        prepare("brats", fake("brats"), tmp_path / "out", {"varient": "brats2020"})
    with pytest.raises(DrifaError, match=r"unknown option 'seed' of sipakmed; it takes none"):
        prepare("sipakmed", fake("sipakmed"), tmp_path / "out", {"seed": "1"})


def test_folders_without_the_dataset_are_refused(fake: Folder, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"unknown dataset 'ham1000' \(did you mean 'ham10000'\?\)"):
        prepare("ham1000", tmp_path, tmp_path / "out")
    with pytest.raises(DrifaError, match="no folder at"):
        prepare("ham10000", tmp_path / "none", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DrifaError, match=r"no HAM10000_metadata.csv below"):
        prepare("ham10000", empty, tmp_path / "out")
    for name, words in (
        ("sipakmed", "no cell"),
        ("nickparvar", "no image"),
        ("iqothnccd", "no slice"),
        ("brats", "no BraTS file"),
    ):
        with pytest.raises(DrifaError, match=f"{words} below"):
            prepare(name, empty, tmp_path / "out")
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


def test_real_nickparvar_has_the_images_of_its_folders(real: Folder) -> None:
    folder = real("nickparvar")
    study = ADAPTERS["nickparvar"].prepare(folder)
    files = [path for path in _files(folder) if path.suffix == ".jpg"]
    assert Counter(study.table["tumour_type"]) == Counter(path.parent.name for path in files)
    sides = Counter(path.parent.parent.name for path in files)
    assert Counter(study.table["official"]) == {"train": sides["Training"], "test": sides["Testing"]}
    study.check_files()


def test_real_iqothnccd_has_the_slices_of_its_folders_in_about_as_many_groups_as_patients(real: Folder) -> None:
    folder = real("iqothnccd")
    study = ADAPTERS["iqothnccd"].prepare(folder)
    files = [path for path in _files(folder) if path.suffix == ".jpg"]
    names = {"Bengin cases": "benign", "Malignant cases": "malignant", "Normal cases": "normal"}
    assert Counter(study.table["lung"]) == Counter(names[path.parent.name] for path in files)
    # A patient may give several runs; far fewer groups than patients would mean that nothing can be told apart.
    patients = ADAPTERS["iqothnccd"].counts["patients"]
    assert patients / 2 < study.table["group"].nunique() < 2 * patients
    # Within a group the numbering has no other group in between.
    for _, part in study.table.groupby("lung"):
        ordered = part.sort_values("number")["group"]
        assert (ordered != ordered.shift()).sum() == ordered.nunique()
