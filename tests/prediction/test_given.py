"""What is held in memory is read as the same content is from a file: to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file

from drifa.data import read_image
from drifa.data.reading.volumes import read_volume
from drifa.errors import DrifaError
from drifa.prediction.given import Held, pixels_from, volume_from

RANDOM = np.random.default_rng(0)
GREY, COLOUR = RANDOM.integers(0, 256, (9, 7), dtype=np.uint8), RANDOM.integers(0, 256, (9, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_arrays_and_tensors_are_as_the_file(pixels: np.ndarray, channels: int, tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = read_image(tmp_path / "a.png", channels)
    deep = np.atleast_3d(pixels)
    tensor = torch.from_numpy(deep).permute(2, 0, 1)
    ways: list[Any] = [pixels, deep, pixels / 255, (deep / 255).astype(np.float32), tensor, tensor / 255, tensor.double() / 255]
    for way in [*ways, Image.fromarray(pixels), Image.open(tmp_path / "a.png"), np.asfortranarray(pixels)]:
        np.testing.assert_array_equal(Held(way).pixels(channels), expected)
    np.testing.assert_array_equal(pixels_from(tmp_path / "a.png", channels), expected)


@given(st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]), st.sampled_from(range(1, 9)))
@settings(max_examples=40, deadline=None)
def test_a_picture_of_any_mode_and_rotation_is_as_its_file(
    tmp_path_factory: pytest.TempPathFactory, mode: str, turn: int
) -> None:
    path = tmp_path_factory.mktemp("pictures") / ("a.tif" if mode == "CMYK" else "a.png")
    deep = Image.fromarray((GREY.astype(np.uint16) << 8) + 3)
    picture = deep if mode == "I;16" else Image.fromarray(COLOUR).convert(mode)
    notes = picture.getexif()
    notes[0x0112] = turn
    picture.save(path, exif=notes)
    with Image.open(path) as opened:
        np.testing.assert_array_equal(Held(opened).pixels(3), read_image(path, 3))


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "SC_rgb_small_odd.dcm", "MR_small_RLE.dcm"])
def test_a_dataset_is_as_its_file_and_stays_as_it_is(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    expected = read_image(path, 1)
    dataset = pydicom.dcmread(path)
    before = dataset.to_json()
    np.testing.assert_array_equal(Held(dataset).pixels(1), expected)
    assert dataset.to_json() == before


def test_a_dataset_that_is_not_whole_is_refused() -> None:
    with pytest.raises(DrifaError, match="pydicom dataset"):
        Held(pydicom.Dataset()).pixels(1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("slope", [None, 0.37])
def test_a_nifti_image_is_as_its_file(dtype: type, slope: float | None, tmp_path: Path) -> None:
    affine = np.array([[0, -2.0, 0, 5], [0, 0, 3, -7], [1.5, 0, 0, 2], [0, 0, 0, 1]])
    image = nibabel.nifti1.Nifti1Image(RANDOM.integers(0, 200, (5, 6, 4)).astype(dtype), affine)
    if slope:
        image.header.set_slope_inter(slope, -1.25)
    nibabel.save(image, tmp_path / "a.nii.gz")
    expected = read_volume(tmp_path / "a.nii.gz")
    held = [nibabel.load(tmp_path / "a.nii.gz")] if slope else [nibabel.load(tmp_path / "a.nii.gz"), image]
    for one in held:
        found = volume_from(Held(one))
        np.testing.assert_array_equal(found.array, expected.array)
        np.testing.assert_array_equal(found.affine, expected.affine)
        np.testing.assert_array_equal(found.original_affine, expected.original_affine)
        assert (found.array.dtype, found.original_shape) == (expected.array.dtype, expected.original_shape)
    np.testing.assert_array_equal(volume_from(tmp_path / "a.nii.gz").array, expected.array)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((4, 4, 4)), "ndarray is no volume; give a path or a nibabel"),
        (nibabel.nifti1.Nifti1Image(np.zeros((4, 4, 4, 2), np.float32), np.eye(4)), r"shape \[4, 4, 4, 2\]"),
        (nibabel.nifti1.Nifti1Image(np.full((4, 4, 4), np.nan, np.float32), np.eye(4)), "not finite"),
        (nibabel.nifti1.Nifti1Image(np.zeros((4, 4, 4), np.complex64), np.eye(4)), "complex64"),
    ],
)
def test_what_is_no_volume_is_refused(value: object, message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        Held(value).volume()


def test_it_says_what_it_is_and_no_more() -> None:
    assert str(Held(GREY)) == "in memory: ndarray uint8 9x7"
    dataset = pydicom.Dataset()
    dataset.PatientName = "Doe^Jane"
    assert "Doe" not in str(Held(dataset))
