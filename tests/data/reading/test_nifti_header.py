"""Space and grey values of a NIfTI file are what its header says, in millimetres, or a sentence that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from drifa.data.reading.images import read_image
from drifa.data.reading.volumes import Volume, read_volume, write_mask
from drifa.errors import DrifaError

VALUES = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
GRID = np.array([[0.0, -2.0, 0, 5], [1.5, 0, 0, -7], [0, 0, 3.0, 9], [0, 0, 0, 1]])


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Volume]:
    """Writes a file with fields of its header set by hand, and reads it."""

    def write_and_read(**fields: Any) -> Volume:
        return read_volume(_write(tmp_path / "a.nii", VALUES, **fields))

    return write_and_read


def _write(path: Path, array: np.ndarray, **fields: Any) -> Path:
    content = bytearray(nibabel.nifti1.Nifti1Image(array, GRID).to_bytes())
    header = nibabel.nifti1.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + content[348:])
    return path


QFORM = {"sform_code": 0, "qform_code": 1}


@pytest.mark.parametrize(("code", "factor"), [(0, 1.0), (1, 1e3), (2, 1.0), (3, 1e-3), (3 + 8, 1e-3)])
def test_lengths_are_told_in_millimetres_whatever_the_unit(
    read: Callable[..., Volume], tmp_path: Path, code: int, factor: float
) -> None:
    volume = read(xyzt_units=code)
    np.testing.assert_allclose(volume.original_affine[:3], GRID[:3] * factor)
    np.testing.assert_allclose(volume.spacing, np.array([2.0, 1.5, 3.0]) * factor)
    # A mask goes back in millimetres, and lies where the volume lies.
    mask = read_volume(write_mask(tmp_path / "mask.nii", volume.array > 3, volume))
    np.testing.assert_allclose(mask.affine, volume.affine, rtol=1e-6)


def test_an_unknown_unit_is_refused(read: Callable[..., Volume]) -> None:
    with pytest.raises(DrifaError, match="unknown unit of length 5; set xyzt_units"):
        read(xyzt_units=5)


def test_a_tiny_voxel_is_no_flat_one(read: Callable[..., Volume]) -> None:
    half = GRID * 0.5
    volume = read(xyzt_units=3, srow_x=half[0], srow_y=half[1], srow_z=half[2])
    np.testing.assert_allclose(volume.spacing, [1e-3, 0.75e-3, 1.5e-3], rtol=1e-6)


def test_the_qform_agrees_with_nibabel(read: Callable[..., Volume]) -> None:
    np.testing.assert_allclose(read(**QFORM).original_affine, GRID, atol=1e-5)
    rng = np.random.default_rng(0)
    for qfac in (-1, 1):
        b, c, d = rng.uniform(-0.5, 0.5, 3)
        volume = read(**QFORM, quatern_b=b, quatern_c=c, quatern_d=d, pixdim=[qfac, 1, 2, 3, 0, 0, 0, 0])
        np.testing.assert_allclose(volume.original_affine, nibabel.load(volume.path).affine, atol=1e-5)


@pytest.mark.parametrize("value", [0.70710678, 0.7071069, 0.7071075, 0.7072, 0.708])
def test_a_quaternion_that_rounding_made_too_long_is_shortened(read: Callable[..., Volume], value: float) -> None:
    volume = read(**QFORM, quatern_b=value, quatern_c=value, quatern_d=0, pixdim=[1, 2, 3, 4, 0, 0, 0, 0])
    # Half a turn about the diagonal of x and y swaps them and turns z around.
    np.testing.assert_allclose(volume.original_affine[:3, :3], [[0, 3, 0], [2, 0, 0], [0, 0, -4]], atol=1e-3)


def test_a_handedness_of_zero_means_one(read: Callable[..., Volume]) -> None:
    turned = {**QFORM, "quatern_b": 0, "quatern_c": 0, "quatern_d": 0}
    for qfac, sign in ((0, 1), (1, 1), (0.9999, 1), (-1, -1)):
        volume = read(**turned, pixdim=[qfac, 1, 1, 1, 0, 0, 0, 0])
        np.testing.assert_allclose(np.diag(volume.original_affine)[:3], [1, 1, sign])


def test_an_sform_of_zeros_gives_way_to_a_qform(read: Callable[..., Volume]) -> None:
    nothing = {"srow_x": 0, "srow_y": 0, "srow_z": 0}
    with pytest.raises(DrifaError, match="an orientation that cannot be inverted"):
        read(**nothing, qform_code=0)
    tiny = np.eye(3, 4) * 1e-12
    for fields in (nothing, {"srow_x": tiny[0], "srow_y": tiny[1], "srow_z": tiny[2]}):
        np.testing.assert_allclose(read(**fields, qform_code=1).original_affine, GRID, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({**QFORM, "quatern_b": 0.9, "quatern_c": 0.9}, r"orientation \(qform\) whose quaternion \[0\.9, 0\.9"),
        ({**QFORM, "quatern_b": np.nan}, r"orientation \(qform\) whose quaternion"),
        ({**QFORM, "pixdim": [1, 1, -1, 1, 0, 0, 0, 0]}, r"orientation \(qform\) of voxels of \[1\.0, -1\.0"),
        ({**QFORM, "pixdim": [1, 1, 0, 1, 0, 0, 0, 0]}, r"orientation \(qform\) of voxels"),
        ({**QFORM, "pixdim": [3, 1, 1, 1, 0, 0, 0, 0]}, r"orientation \(qform\) with the handedness 3"),
        ({"srow_y": np.nan}, "an orientation that cannot be inverted"),
        ({"scl_slope": np.inf}, "the slope inf and the intercept 0"),
        ({"scl_slope": 2, "scl_inter": np.nan}, "the slope 2 and the intercept nan"),
        ({"scl_slope": 1e38}, "voxels that are not finite"),
        ({"vox_offset": np.nan}, "voxels start at byte nan"),
        ({"vox_offset": 352.5}, "voxels start at byte 352.5"),
    ],
)
def test_what_is_no_space_and_no_grey_is_named_and_not_called_damage(
    read: Callable[..., Volume], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(DrifaError, match=message) as caught:
        read(**fields)
    assert "damaged" not in str(caught.value)


def test_grey_values_are_scaled_and_a_slope_of_zero_or_nan_means_none(read: Callable[..., Volume]) -> None:
    plain = read().array
    np.testing.assert_allclose(read(scl_slope=0.1, scl_inter=-2).array, plain * np.float64(np.float32(0.1)) - 2, rtol=1e-6)
    for slope in (0, np.nan):
        np.testing.assert_array_equal(read(scl_slope=slope, scl_inter=5).array, plain)


@pytest.mark.parametrize(("low", "high"), [(0, np.inf), (np.nan, 9), (9, 3), (-np.inf, np.inf), (3, 3)])
def test_a_display_range_that_is_none_is_refused_even_for_bytes(tmp_path: Path, low: float, high: float) -> None:
    path = _write(tmp_path / "a.nii", VALUES[:, :, 0].astype(np.uint8), cal_min=low, cal_max=high)
    with pytest.raises(DrifaError, match="has the display range"):
        read_image(path, 1)
