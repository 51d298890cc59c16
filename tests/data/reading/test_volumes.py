"""A volume enters in one orientation, and a mask leaves on the grid of its volume."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from drifa.data.reading.volumes import check_grids, read_volume, write_mask
from drifa.errors import DrifaError
from tests.nifti_files import LPS, make_head, write_nifti

GREY, _ = make_head()


def _reoriented(axes: str) -> np.ndarray:
    """The grid of LPS stored with other axes, such as "SAR"."""
    orientation = nibabel.orientations.axcodes2ornt(axes)
    return LPS[:, [0, 1, 2, 3]] @ nibabel.orientations.inv_ornt_aff(
        nibabel.orientations.ornt_transform(nibabel.orientations.axcodes2ornt("LPS"), orientation), GREY.shape
    )


def _store(path: Path, axes: str, array: np.ndarray = GREY) -> Path:
    codes = nibabel.orientations.axcodes2ornt
    turn = nibabel.orientations.ornt_transform(codes("LPS"), codes(axes))
    return write_nifti(path, nibabel.orientations.apply_orientation(array, turn), _reoriented(axes))


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SAR", "PIR", "ILA"])
def test_one_scan_stored_in_any_order_is_one_volume(tmp_path: Path, axes: str) -> None:
    reference = read_volume(_store(tmp_path / "lps.nii.gz", "LPS"))
    volume = read_volume(_store(tmp_path / "a.nii", axes))
    assert "".join(nibabel.aff2axcodes(volume.affine)) == "RAS"
    np.testing.assert_array_equal(volume.array, reference.array)
    np.testing.assert_allclose(volume.affine, reference.affine, atol=1e-5)
    np.testing.assert_allclose(volume.spacing, (1.5, 1, 2))
    check_grids({"a": volume, "b": reference})
    # The voxel at a place in the patient is the same in the file and in the volume.
    image = nibabel.load(tmp_path / "a.nii")
    place = image.affine @ [3, 4, 5, 1]
    x, y, z, _ = np.round(np.linalg.inv(volume.affine) @ place).astype(int)
    assert volume.array[x, y, z] == image.get_fdata()[3, 4, 5]


@pytest.mark.parametrize(("axes", "ending"), itertools.product(["RAS", "SAR", "LPS"], [".nii", ".nii.gz"]))
def test_a_mask_is_written_on_the_grid_of_its_volume(tmp_path: Path, axes: str, ending: str) -> None:
    source = _store(tmp_path / "scan.nii.gz", axes)
    volume = read_volume(source)
    mask = (volume.array > 320).astype(int) * 4
    written = write_mask(tmp_path / "out" / f"mask{ending}", mask, volume)
    scan, image = nibabel.load(source), nibabel.load(written)
    np.testing.assert_array_equal(image.get_fdata() == 4, scan.get_fdata() > 320)
    np.testing.assert_allclose(image.affine, scan.affine, atol=1e-5)
    np.testing.assert_allclose(image.get_qform(), scan.affine, atol=1e-4)
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(read_volume(written).array, mask)
    assert [path.name for path in written.parent.iterdir()] == [f"mask{ending}"]


def test_a_sheared_grid_keeps_its_affine(tmp_path: Path) -> None:
    affine = LPS.copy()
    affine[0, 1] = 0.3
    volume = read_volume(write_nifti(tmp_path / "a.nii", GREY, affine))
    write_mask(tmp_path / "m.nii", np.zeros(volume.array.shape), volume)
    np.testing.assert_allclose(nibabel.load(tmp_path / "m.nii").affine, affine, atol=1e-5)


def test_a_mask_that_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    volume = read_volume(write_nifti(tmp_path / "a.nii.gz", GREY))
    for array, name, message in (
        (volume.array[1:], "m.nii", "the mask has the shape"),
        (volume.array + 300, "m.nii", "use whole numbers of 0 to 255"),
        (volume.array * 0 + 0.5, "m.nii", "use whole numbers of 0 to 255"),
        (volume.array * 0, "m.nrrd", "should end in .nii or .nii.gz"),
    ):
        with pytest.raises(DrifaError, match=message):
            write_mask(tmp_path / name, array, volume)


def test_volumes_of_one_subject_must_share_their_grid(tmp_path: Path) -> None:
    one = read_volume(write_nifti(tmp_path / "flair.nii", GREY))
    check_grids({"flair": one})
    for gap, agrees in ((0.05, True), (0.5, False)):
        moved = replace(one, affine=one.affine + np.array([[0, 0, 0, gap]] + [[0] * 4] * 3), path=tmp_path / "t1.nii")
        if agrees:
            check_grids({"flair": one, "t1": moved})
            continue
        with pytest.raises(DrifaError, match=r"flair and t1 .* different grids: .*flair.nii \(20x24x12 .*t1.nii \(20x24x12"):
            check_grids({"flair": one, "t1": moved})
    with pytest.raises(DrifaError, match="different grids"):
        check_grids({"flair": one, "t1": replace(one, array=one.array[1:])})
