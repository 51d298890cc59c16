"""The namings of all years of BraTS give one and the same kind of study, and the masks hold what its regions say."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.data.adapters.brats_names import CONVENTIONS
from drifa.data.adapters.prepare import ADAPTERS, prepare
from drifa.data.study.study import Study
from drifa.data.targets import RegionTarget
from drifa.errors import DrifaError

GENERATOR: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "brats" / "data.py"))
NAMES = [row.name for row in CONVENTIONS]


def _write(folder: Path, naming: str, subjects: int = 4) -> Path:
    GENERATOR["write"](folder, naming, subjects)
    return folder


def _masks(study: Study, count: int | None = None) -> list[np.ndarray]:
    return [np.asarray(nibabel.load(path).dataobj) for path in study.mask_paths("tumour")[:count] if path]  # type: ignore[attr-defined]


def tumour(study: Study) -> RegionTarget:
    target = study.tasks["tumour"].target
    assert isinstance(target, RegionTarget)
    return target


def mask_values(study: Study) -> tuple[int, ...]:
    return tumour(study).mask_values


@pytest.mark.parametrize("naming", NAMES)
def test_every_naming_gives_the_same_modalities_and_regions_that_cover_the_masks(tmp_path: Path, naming: str) -> None:
    study = prepare("brats", _write(tmp_path / "raw", naming), tmp_path / "study")
    Study.load(tmp_path / "study").check_files()
    assert set(study.modalities) <= {"flair", "t1", "t1ce", "t2"}
    assert all(modality.channels == 1 for modality in study.modalities.values())
    subjects = study.subjects()
    assert len(subjects) == 4
    assert subjects.present.all()
    regions = tumour(study).regions
    masks = _masks(study)
    assert len(masks) == 4
    for mask in masks:
        assert set(np.unique(mask)) <= set(mask_values(study))
        volume = [int(np.isin(mask, values).sum()) for values in regions.values()]
        assert volume[0] == (mask > 0).sum()  # the whole tumour is all of it
        assert volume == sorted(volume, reverse=True)
        assert volume[-1] > 0


@pytest.mark.parametrize("naming", NAMES)
def test_a_file_name_is_read_by_one_convention_only(tmp_path: Path, naming: str) -> None:
    folder = _write(tmp_path / "raw", naming)
    for path in folder.rglob("*.nii*"):
        read = [row.name for row in CONVENTIONS if row.read(path.relative_to(folder).as_posix())]
        assert read == [naming], path


def test_the_examples_shown_in_errors_are_read() -> None:
    assert all(row.read(row.example) for row in CONVENTIONS)


def test_modalities_have_the_brightness_that_their_names_stand_for(tmp_path: Path) -> None:
    # The generator makes each later modality of "flair t1 t1ce t2" brighter by 20, under whatever names the year uses.
    for naming in ("brats2020", "brats2023"):
        study = ADAPTERS["brats"].prepare(_write(tmp_path / naming, naming))
        mean = {
            modality: np.mean([np.asarray(nibabel.load(study.image_path(row)).dataobj).mean() for row in rows.index])  # type: ignore[attr-defined]
            for modality, rows in study.table.groupby("modality")
        }
        assert sorted(mean, key=lambda name: mean[name]) == ["flair", "t1", "t1ce", "t2"]


def test_visits_and_slices_of_a_patient_are_one_group(tmp_path: Path) -> None:
    visits = ADAPTERS["brats"].prepare(_write(tmp_path / "visits", "brats2023"))
    assert set(visits.table["group"]) == {"BraTS-GLI-00000", "BraTS-GLI-00001"}
    assert visits.table["subject"].nunique() == 4
    slices = ADAPTERS["brats"].prepare(_write(tmp_path / "slices", "brats2020_slices"))
    assert set(slices.table["group"]) == {"brats_train_001"}
    assert set(slices.table["subject"]) == {f"brats_train_001_{n:03d}" for n in range(1, 5)}


def test_grades_come_from_the_name_mapping_or_from_the_folders(tmp_path: Path) -> None:
    new = ADAPTERS["brats"].prepare(_write(tmp_path / "new", "brats2020"))
    assert new.tasks["grade"].classes == ("HGG", "LGG")
    assert Counter(new.table["grade"]) == {"HGG": 8, "LGG": 8}
    old = ADAPTERS["brats"].prepare(_write(tmp_path / "old", "brats2018"))
    assert all(path.startswith(grade) for path, grade in zip(old.table["path"], old.table["grade"], strict=True))
    (tmp_path / "new" / "name_mapping.csv").unlink()
    assert list(ADAPTERS["brats"].prepare(tmp_path / "new").tasks) == ["tumour"]


def test_a_foreign_mask_name_belongs_to_its_folder(tmp_path: Path) -> None:
    study = ADAPTERS["brats"].prepare(_write(tmp_path, "brats2020"))
    masks = study.table.drop_duplicates("subject").set_index("subject")["tumour"]
    assert masks["BraTS20_Training_004"].endswith("/W39_1998.09.19_Segm.nii")


def test_a_subject_may_lack_a_modality_but_not_its_mask(tmp_path: Path) -> None:
    folder = _write(tmp_path, "brats2021")
    (folder / "BraTS2021_00002" / "BraTS2021_00002_t1.nii.gz").unlink()
    (folder / "BraTS2021_00003" / "BraTS2021_00003_seg.nii.gz").unlink()
    study = ADAPTERS["brats"].prepare(folder)
    assert dict(study.table.groupby("subject").size()) == {"BraTS2021_00001": 4, "BraTS2021_00002": 3, "BraTS2021_00004": 4}
    assert "Skipped: 1 without mask and grade" in study.notes
    for path in folder.rglob("*_seg.nii.gz"):
        path.unlink()
    with pytest.raises(DrifaError, match=r"none of the 4 subjects below .* has both an image and a mask"):
        ADAPTERS["brats"].prepare(folder)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_converted_files_are_found_under_the_same_names(tmp_path: Path, ending: str) -> None:
    folder = _write(tmp_path, NAMES[0])
    for path in sorted(folder.rglob("*.nii*")):
        path.rename(path.with_name(path.name.split(".nii")[0] + ending))
    study = ADAPTERS["brats"].prepare(folder)
    assert len(study.table)
    assert study.table["path"].str.endswith(ending).all()


def test_one_subjects_own_folder_will_do(tmp_path: Path) -> None:
    folder = _write(tmp_path, "brats2013")
    assert set(ADAPTERS["brats"].prepare(folder / "brats_2013_pat0002_1").table["subject"]) == {"brats_2013_pat0002_1"}


def test_mixed_namings_are_listed_and_one_can_be_chosen(tmp_path: Path) -> None:
    _write(tmp_path / "raw", "brats2020")
    _write(tmp_path / "raw", "brats2023")
    with pytest.raises(DrifaError, match=r"mixes 2 BraTS namings.*brats2023: 4 subjects.*brats2020: 4 subjects.*variant=NAME"):
        prepare("brats", tmp_path / "raw", tmp_path / "study")
    with pytest.raises(DrifaError, match=r"variant=brats2032 is not a BraTS naming \(did you mean 'brats2023'\?\)"):
        prepare("brats", tmp_path / "raw", tmp_path / "study", {"variant": "brats2032"})
    words = ["data", "prepare", "brats", str(tmp_path / "raw"), "variant=brats2023", "--out", str(tmp_path / "study")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "tumour: 4 masks with the regions WT, TC, ET" in result.output
    assert mask_values(Study.load(tmp_path / "study")) == (0, 1, 2, 3)


@pytest.mark.parametrize("year", ["brats2017", "brats2019"])
def test_years_named_alike_go_by_their_own_year_too(tmp_path: Path, year: str) -> None:
    folder = _write(tmp_path, "brats2018")
    expected, found = ADAPTERS["brats"].prepare(folder), ADAPTERS["brats"].prepare(folder, variant=year)  # type: ignore[call-arg]
    pd.testing.assert_frame_equal(found.table, expected.table)


def test_two_files_for_one_place_are_both_named(tmp_path: Path) -> None:
    folder = _write(tmp_path, "brats2020")
    file = folder / "BraTS20_Training_001" / "BraTS20_Training_001_t1.nii"
    file.with_name(f"{file.name}.gz").write_bytes(b"the same, packed")
    with pytest.raises(DrifaError, match=r"two files for t1: \S+_t1.nii and \S+_t1.nii.gz; keep one"):
        ADAPTERS["brats"].prepare(folder)


def test_real_brats_has_the_files_of_each_naming(real: Any) -> None:
    folder = real("brats")
    with pytest.raises(DrifaError, match="BraTS namings"):
        ADAPTERS["brats"].prepare(folder)
    expected = {
        "brats2018_demo": ("GT_W", 2),
        "brats2013": ("OTMultiClass", 2),
        "brats2023": ("-seg", 4),
        "brats2020_slices": ("_seg_", 4),
    }
    for variant, (mask, images) in expected.items():
        study = ADAPTERS["brats"].prepare(folder, variant=variant)  # type: ignore[call-arg]
        masks = {path.relative_to(folder).as_posix() for path in folder.rglob("*.nii.gz") if mask in path.name}
        assert set(study.table["tumour"]) == masks
        assert set(study.table.groupby("subject").size()) == {images}
        for one in _masks(study, 1):
            assert set(np.unique(one)) <= set(mask_values(study))
        study.check_files()
