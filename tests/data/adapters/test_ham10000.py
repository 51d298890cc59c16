"""HAM10000 becomes a study grouped by lesion; what is skipped is counted."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from drifa.data.adapters.prepare import ADAPTERS
from drifa.errors import DrifaError
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
    assert "2 metadata rows without an image, 1 image without metadata, 1 further copy" in study.notes


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


def test_a_folder_of_the_tables_name_may_stand_around_it(fake: Folder) -> None:
    folder = fake("ham10000")
    table = folder / "HAM10000_metadata.csv"
    (folder / "HAM10000_metadata").mkdir()
    table.rename(folder / "HAM10000_metadata" / "HAM10000_metadata.csv")
    assert len(ADAPTERS["ham10000"].prepare(folder).table) == 35


def test_ham10000_reads_the_same_photographs_as_the_isic_challenge_published_them(fake: Folder) -> None:
    folder = fake("ham10000")
    expected = ADAPTERS["ham10000"].prepare(folder).table
    table = pd.read_csv(folder / "HAM10000_metadata.csv", dtype=str)
    (folder / "HAM10000_metadata.csv").unlink()
    truth = pd.DataFrame({"image": table["image_id"]})
    for name in ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"):
        truth[name] = (table["dx"] == name.lower()).astype(float)
    truth.to_csv(folder / "ISIC2018_Task3_Training_GroundTruth.csv", index=False)
    with pytest.raises(DrifaError, match=r"fetch ISIC2018_Task3_Training_LesionGroupings.csv"):
        ADAPTERS["ham10000"].prepare(folder)
    groupings = table.rename(columns={"image_id": "image", "dx_type": "diagnosis_confirm_type"})
    groupings[["image", "lesion_id", "diagnosis_confirm_type"]].to_csv(
        folder / "ISIC2018_Task3_Training_LesionGroupings.csv", index=False
    )
    columns = ["subject", "path", "group", "skin_lesion", "dx_type"]
    assert ADAPTERS["ham10000"].prepare(folder).table[columns].equals(expected[columns])


def test_a_photograph_that_two_different_files_claim_is_refused(fake: Folder) -> None:
    folder = fake("ham10000")
    image = next(path for path in all_files(folder) if path.name.startswith("ISIC"))
    (folder / "224").mkdir()
    (folder / "224" / image.name).write_bytes(b"smaller")
    with pytest.raises(DrifaError, match=f"224/{image.name} and .*{image.name} below .* are two different files"):
        ADAPTERS["ham10000"].prepare(folder)
