"""What a path says under each naming of BraTS; whole folders are read in test_brats.py."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drifa.data.adapters.brats_names import ALIKE, CONVENTIONS

BY_NAME = {row.name: row for row in CONVENTIONS}


@pytest.mark.parametrize(
    ("naming", "path", "read"),
    [
        (
            "brats2020",
            "MICCAI/BraTS20_Training_001/BraTS20_Training_001_t1ce.nii",
            ("BraTS20_Training_001", "BraTS20_Training_001", "t1ce"),
        ),
        (
            "brats2020",
            "BraTS20_Training_355/W39_1998.09.19_Segm.nii",
            ("BraTS20_Training_355", "BraTS20_Training_355", "mask"),
        ),
        ("brats2018", "HGG/Brats18_2013_2_1/Brats18_2013_2_1_seg.nii.gz", ("Brats18_2013_2_1", "Brats18_2013_2_1", "mask")),
        ("brats2018_demo", "case/GT_W.nii.gz", ("case", "case", "mask")),
        ("brats2013", "pat1/T1c_subtrMeanDivStd.nii.gz", ("pat1", "pat1", "t1ce")),
        ("brats2021", "BraTS2021_00000/BraTS2021_00000_t2.nii.gz", ("BraTS2021_00000", "BraTS2021_00000", "t2")),
        (
            "brats2023",
            "BraTS-GLI-00007-001/BraTS-GLI-00007-001-t2f.nii.gz",
            ("BraTS-GLI-00007-001", "BraTS-GLI-00007", "flair"),
        ),
        ("brats2020_slices", "z083/brats_train_001_seg_083_w.nii.gz", ("brats_train_001_083", "brats_train_001", "mask")),
    ],
)
def test_a_path_gives_subject_group_and_modality(naming: str, path: str, read: tuple[str, str, str]) -> None:
    assert BY_NAME[naming].read(path) == read


@pytest.mark.parametrize(
    "path",
    [
        "BraTS2021_00000/BraTS2021_00001_t2.nii.gz",  # another subject's folder
        "BraTS2021_00000/BraTS2021_00000_t3.nii.gz",
        "BraTS2021_00000/BraTS2021_00000_t2.nii.gz.part",
        "xBraTS2021_00000/BraTS2021_00000_t2.nii.gz",
        "BraTS2021_00000_t2.nii.gz",
    ],
)
def test_what_is_named_otherwise_is_not_read(path: str) -> None:
    assert BY_NAME["brats2021"].read(path) is None


def test_regions_lie_in_each_other_and_the_mask_is_no_modality() -> None:
    for row in CONVENTIONS:
        values = [set(region) for region in row.regions.values()]
        assert all(inner < outer for outer, inner in pairwise(values))
        assert row.mask not in row.modalities
        assert set(row.modalities.values()) <= {"flair", "t1", "t1ce", "t2"}


def test_years_named_alike_lead_to_a_naming() -> None:
    assert set(ALIKE.values()) <= BY_NAME.keys()
    assert not ALIKE.keys() & BY_NAME.keys()
