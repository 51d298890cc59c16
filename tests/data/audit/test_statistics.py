"""What is counted: classes by split, groups, files that lie elsewhere, grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from drifa.data.audit import audit
from drifa.data.audit.reading import read_study
from drifa.data.audit.statistics import image_findings
from tests.data.audit.made import make, make_volumes, only, rules
from tests.nifti_files import LPS, make_head, write_nifti


def test_a_class_that_a_split_lacks_and_a_tiny_class_are_warnings(tmp_path: Path) -> None:
    study = make(tmp_path, kind=["b"] * 4 + ["a"] * 56, split=["train"] * 40 + ["test"] * 20)
    result = audit(study)
    assert only(result, "class_missing_in_split").data["classes"] == ["b in test"]
    assert only(result, "tiny_class").data["classes"] == ["b"]
    counts = only(result, "class_counts").data["counts"]
    assert counts["a"] == {"subjects": 56, "groups": 56, "train": 36, "test": 20}


def test_links_that_leave_the_root_are_told_and_those_below_it_are_not(tmp_path: Path) -> None:
    study = make(tmp_path / "study")
    (tmp_path / "study").rename(tmp_path / "moved")
    (tmp_path / "study").symlink_to(tmp_path / "moved")
    (tmp_path / "moved" / "007.png").rename(tmp_path / "moved" / "seven.png")
    (tmp_path / "moved" / "007.png").symlink_to("seven.png")
    assert "links_out_of_root" not in rules(audit(study))
    (tmp_path / "moved" / "seven.png").rename(tmp_path / "elsewhere.png")
    (tmp_path / "moved" / "seven.png").symlink_to(tmp_path / "elsewhere.png")
    assert only(audit(study), "links_out_of_root").files == ("007.png",)
    assert audit(study).ok


def test_one_grid_in_other_words_is_no_finding(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    grey = make_head()[0]
    # The same place, stored from right to left, and a hundredth of a millimetre away.
    mirrored = LPS @ np.array([[-1, 0, 0, grey.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    write_nifti(tmp_path / "0_t2.nii.gz", grey[::-1], mirrored)
    shifted = LPS.copy()
    shifted[0, 3] += 0.01
    write_nifti(tmp_path / "1_t2.nii.gz", grey + 9, shifted)
    assert "grids_differ" not in rules(audit(study))
    shifted[0, 3] += 0.2
    write_nifti(tmp_path / "1_t2.nii.gz", grey + 9, shifted)
    one = only(audit(study), "grids_differ")
    assert (one.severity, one.files) == ("error", ("1_t1.nii.gz", "1_t2.nii.gz"))


def test_images_are_counted_sized_and_named_by_modality(tmp_path: Path) -> None:
    study = make(tmp_path, count=6)
    Image.fromarray(np.zeros((10, 20), dtype=np.uint8)).save(tmp_path / "000.png")
    (one,) = image_findings(study, read_study(study))
    assert (one.severity, one.data["images"], one.data["coloured"]) == ("info", 6, 5 / 6)
    assert (one.data["height"], one.data["width"]) == ([10, 48, 48], [20, 48, 48])
    assert one.data["encodings"] == {"PNG RGB": 5, "PNG L": 1}
    assert one.message.startswith("photo: 6 images of 10–48 x 20–48 pixels, values 0 to ")
