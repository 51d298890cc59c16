"""HAM10000 becomes a study grouped by lesion; what is skipped is counted."""

from __future__ import annotations

from collections import Counter

from drifa.data.adapters.prepare import ADAPTERS
from tests.data.adapters.miniatures import Folder, all_files


def test_ham10000_groups_by_lesion_and_keeps_the_patients_columns(fake: Folder) -> None:
    study = ADAPTERS["ham10000"].prepare(fake("ham10000"))
    assert len(study.table) == 35
    assert study.table["group"].nunique() == 28
    assert study.table.groupby("group")["skin_lesion"].nunique().max() == 1
    assert study.table["age"].tolist().count("") == 1
    assert {"dx_type", "age", "sex", "localization"} <= set(study.table.columns)


def test_ham10000_counts_what_it_skips(fake: Folder) -> None:
    folder = fake("ham10000")
    images = sorted(path for path in all_files(folder) if path.name.startswith("ISIC"))
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


def test_real_ham10000_has_the_images_and_lesions_of_its_files(real: Folder) -> None:
    folder = real("ham10000")
    study = ADAPTERS["ham10000"].prepare(folder)
    lines = [line.split(",") for line in (folder / "HAM10000_metadata.csv").read_text().splitlines()[1:]]
    here = {path.stem for path in all_files(folder)}
    listed = [line for line in lines if line[1] in here]
    assert len(study.table) == len(listed)
    assert study.table["group"].nunique() == len({line[0] for line in listed})
    assert Counter(study.table["skin_lesion"]) == Counter(line[2] for line in listed)
    study.check_files()
