"""NRRD and MetaImage hold the same volumes as NIfTI, voxel for voxel and in the same place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from drifa.data.reading.nrrd import data_file, is_nrrd_or_meta
from drifa.data.reading.volumes import Volume, read_volume, volume_kind, write_mask
from drifa.errors import DrifaError
from tests.nifti_files import write_nifti

ENDINGS = ["nrrd", "nhdr", "mha", "mhd"]
VALUES = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("<f4")
PLACE = ("space: left-posterior-superior", "space directions: (1,0,0) (0,2,0) (0,0,3)", "space origin: (10,20,30)")


@pytest.fixture
def itk() -> Any:
    return pytest.importorskip("SimpleITK", reason="needs the extra `volumes`")


def _nrrd(path: Path, *fields: str, dimensions: int = 3, sizes: str = "4 5 6") -> Path:
    lines = [
        "NRRD0005",
        "type: float",
        f"dimension: {dimensions}",
        f"sizes: {sizes}",
        "endian: little",
        "encoding: raw",
        *fields,
    ]
    path.write_bytes("\n".join([*lines, "", ""]).encode() + VALUES.tobytes(order="F"))
    return path


def assert_one(volume: Volume, expected: Volume) -> None:
    np.testing.assert_array_equal(volume.array, expected.array)
    np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-4)
    assert volume.original_shape == expected.original_shape


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR", "oblique"])
def test_a_converted_volume_is_the_one_that_the_nifti_door_reads(tmp_path: Path, itk: Any, ending: str, axes: str) -> None:
    affine = np.eye(4)
    if axes == "oblique":
        affine[:3, :3] = nibabel.eulerangles.euler2mat(0.2, -0.1, 0.3)
    else:
        target = nibabel.orientations.axcodes2ornt(axes)
        affine = nibabel.orientations.inv_ornt_aff(target, VALUES.shape)
    affine = affine @ np.diag([1, 2, 3, 1])
    affine[:3, 3] = 10, -20, 30
    source = write_nifti(tmp_path / "a.nii", VALUES, affine)
    itk.WriteImage(itk.ReadImage(str(source)), str(tmp_path / f"a.{ending}"), useCompression=ending in ("nrrd", "mha"))
    volume, expected = read_volume(tmp_path / f"a.{ending}"), read_volume(source)
    assert_one(volume, expected)
    mask = volume.array > 0
    write_mask(tmp_path / "mask.nii.gz", mask, like=volume)
    np.testing.assert_array_equal(read_volume(tmp_path / "mask.nii.gz").array, mask)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_real_subject_is_the_same_in_every_format(tmp_path: Path, itk: Any, real: Callable[[str], Path], ending: str) -> None:
    source = min((real("brats") / "BraTS-GLI-00000-000").glob("*t2f*"))
    itk.WriteImage(itk.ReadImage(str(source)), str(tmp_path / f"a.{ending}"))
    assert_one(read_volume(tmp_path / f"a.{ending}"), read_volume(source))


def test_the_content_decides_and_not_the_name(tmp_path: Path, itk: Any) -> None:
    path = _nrrd(tmp_path / "a.nii.gz", *PLACE)
    np.testing.assert_array_equal(read_volume(path).array, VALUES[::-1, ::-1])
    assert volume_kind(path) == "NRRD"
    itk.WriteImage(itk.ReadImage(str(_nrrd(tmp_path / "a.nrrd", *PLACE))), str(tmp_path / "b.mha"))
    (tmp_path / "b.mha").rename(tmp_path / "b")
    np.testing.assert_array_equal(read_volume(tmp_path / "b").array, VALUES[::-1, ::-1])
    assert volume_kind(tmp_path / "b") == "MetaImage"
    assert not is_nrrd_or_meta(b"Comments on the study")


def test_a_space_counted_to_the_right_is_turned_and_one_of_no_patient_refused(tmp_path: Path, itk: Any) -> None:
    _, directions, origin = PLACE
    right = read_volume(_nrrd(tmp_path / "a.nrrd", "space: RAS", directions, origin))
    np.testing.assert_array_equal(right.array, VALUES)
    np.testing.assert_allclose(right.affine[:3, 3], [10, 20, 30])
    unnamed = read_volume(_nrrd(tmp_path / "a.nrrd", "spacings: 1 2 3"))
    np.testing.assert_array_equal(unnamed.array, VALUES[::-1, ::-1])
    for space in ("scanner-xyz", "3D-left-handed"):
        with pytest.raises(DrifaError, match=f"the space '{space}', no patient's"):
            read_volume(_nrrd(tmp_path / "a.nrrd", f"space: {space}", directions, origin))


@pytest.mark.parametrize(
    ("fields", "options", "message"),
    [
        (('space units: "cm" "cm" "cm"',), {}, "the space unit 'cm'; save it again in millimetres"),
        ((), {"dimensions": 4, "sizes": "4 5 3 2"}, r"has 4 dimensions \(4x5x3x2\)"),
        (("kinds: vector domain domain",), {"sizes": "3 5 8"}, "3 channels"),
        ((), {"sizes": "6000 5000 4000"}, "6000x5000x4000 voxels, more than"),
        ((), {"sizes": "4 5 7"}, "damaged or cut short"),
        (("space: LPS", "space directions: (1,0,0) (1,0,0) (0,0,3)"), {}, "axes of one plane or line"),
    ],
)
def test_what_is_not_read_is_named(
    tmp_path: Path, itk: Any, fields: tuple[str, ...], options: dict[str, Any], message: str
) -> None:
    path = _nrrd(tmp_path / "a.nrrd", *fields, **options)
    with pytest.raises(DrifaError, match=message) as caught:
        read_volume(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_cut_file_is_damaged_and_a_scaled_one_refused(tmp_path: Path, itk: Any, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    itk.WriteImage(itk.GetImageFromArray(VALUES), str(path))
    voxels = data_file(path) or path
    assert (voxels != path) == (ending in ("nhdr", "mhd"))
    content = voxels.read_bytes()
    voxels.write_bytes(content[:-100])
    with pytest.raises(DrifaError, match="damaged or cut short"):
        read_volume(path)
    if ending == "mha":
        path.write_bytes(content.replace(b"NDims", b"ElementToIntensityFunctionSlope = 2\nNDims"))
        with pytest.raises(DrifaError, match="slope and offset 2 and 0"):
            read_volume(path)


def test_voxels_that_are_not_finite_are_counted(tmp_path: Path, itk: Any) -> None:
    values = VALUES.copy()
    values[0, 0, :2] = np.nan
    itk.WriteImage(itk.GetImageFromArray(values), str(tmp_path / "a.mha"))
    with pytest.raises(DrifaError, match="has 2 voxels that are not finite"):
        read_volume(tmp_path / "a.mha")


def test_without_the_package_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(DrifaError, match=r"needs another package: pip install 'drifa\[volumes\]'"):
        read_volume(_nrrd(tmp_path / "a.nrrd", *PLACE))
