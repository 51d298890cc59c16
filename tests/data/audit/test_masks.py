"""Masks that training would refuse are errors, each under its rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from drifa.data.audit import audit, audit_and_fix
from drifa.data.study.schema import Modality
from tests.data.audit.made import make_volumes, only
from tests.nifti_files import LPS, make_head, write_nifti


def test_masks_that_training_refuses_are_errors(tmp_path: Path) -> None:
    study = make_volumes(tmp_path, count=7)
    mask = make_head()[1]
    write_nifti(tmp_path / "0_mask.nii.gz", np.where(mask == 2, 3, mask).astype(np.uint8))
    write_nifti(tmp_path / "1_mask.nii.gz", mask[1:])
    write_nifti(tmp_path / "2_mask.nii.gz", mask.astype(np.float32) / 3)
    (tmp_path / "3_mask.nii.gz").write_bytes((tmp_path / "4_mask.nii.gz").read_bytes()[:200])
    (tmp_path / "5_mask.nii.gz").unlink()
    write_nifti(tmp_path / "6_mask.nii.gz", mask, LPS + np.diag([0.01, 0, 0, 0]))
    for result in (audit(study), audit_and_fix(study)[0]):
        assert only(result, "unknown_mask_label").files == ("0_mask.nii.gz", "2_mask.nii.gz")
        assert "outside the study: 3; task 'tumour' knows 0, 1, 2, 4" in only(result, "unknown_mask_label").message
        assert only(result, "mask_grid_differs").files == ("1_mask.nii.gz", "6_mask.nii.gz")
        assert only(result, "unreadable_mask").files == ("3_mask.nii.gz", "5_mask.nii.gz")
        assert "2 of 7 masks of task 'tumour'" in only(result, "unreadable_mask").message
        assert all(one.severity == "error" and one.remedy for one in result.findings if "mask" in one.rule)


def test_volumes_declared_as_colour_images_are_an_error(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    wrong = replace(study, modalities={**study.modalities, "t1": Modality("t1", 3)})
    assert "modality 't1'" in only(audit(wrong), "colour_volumes").message
