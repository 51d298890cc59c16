"""A NIfTI file is read whole or refused by name; faults are told before memory is filled."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from drifa.data.reading.images import read_image
from drifa.data.reading.volumes import read_volume, write_mask
from drifa.errors import DrifaError
from tests.nifti_files import LPS, make_head, write_nifti

GREY, _ = make_head()


def test_scaled_integers_a_fourth_axis_of_one_and_a_single_slice_are_read(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", GREY[..., None])
    assert read_volume(path).array.shape == GREY.shape
    write_mask(tmp_path / "m.nii", np.zeros(GREY.shape), read_volume(path))
    assert nibabel.load(tmp_path / "m.nii").shape == (*GREY.shape, 1)
    image = nibabel.nifti1.Nifti1Image(GREY, LPS)
    image.set_data_dtype(np.int16)  # nibabel fills the range of int16 with a slope
    nibabel.save(image, tmp_path / "b.nii.gz")
    np.testing.assert_allclose(read_volume(tmp_path / "b.nii.gz").array, read_volume(path).array, atol=0.02)
    assert read_volume(write_nifti(tmp_path / "c.nii", GREY[:, :, 5])).array.shape == (*GREY.shape[:2], 1)
    nibabel.save(nibabel.nifti2.Nifti2Image(GREY, LPS), tmp_path / "d.nii.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "d.nii.gz").array, read_volume(path).array)
    # The content decides: archives hold plain files under .nii.gz.
    (tmp_path / "e.nii.gz").write_bytes(path.read_bytes())
    np.testing.assert_array_equal(read_volume(tmp_path / "e.nii.gz").array, read_volume(path).array)


def _with_nan(path: Path) -> None:
    array = GREY.copy()
    array[1, 2, 3], array[2, 2, 2] = np.nan, np.inf
    write_nifti(path, array)


def _flat(path: Path) -> None:
    write_nifti(path, GREY)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[280:328] = bytes(48)  # srow_x, srow_y, srow_z of the sform
    path.write_bytes(gzip.compress(content))


def _skewed(path: Path) -> None:
    # Invertible, but two axes run the same way to within the file's precision.
    write_nifti(path, GREY)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[280:328] = np.array([[1, 1e20, 0, 0], [0, 1e-3, 0, 0], [0, 0, 1e-3, 0]], "<f4").tobytes()
    path.write_bytes(gzip.compress(content))


def _unknown_type(path: Path) -> None:
    write_nifti(path, GREY)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[70:72] = (9999).to_bytes(2, "little")
    path.write_bytes(gzip.compress(content))


def _header_only(path: Path) -> None:
    # A header that announces 40 GB: nothing may be allocated for it.
    header = nibabel.nifti1.Nifti1Header()
    header.set_data_shape((2000, 2000, 2500))
    header["magic"], header["vox_offset"] = b"n+1", 352
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4)))


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _pair(path: Path) -> None:
    header = nibabel.nifti1.Nifti1PairHeader()
    path.write_bytes(header.binaryblock)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nan": (_with_nan, r"has 2 voxels that are not finite \(NaN or inf\)"),
    "four dimensions": (lambda path: write_nifti(path, np.stack([GREY] * 4, axis=3)), r"has 4 dimensions \(20x24x12x4\)"),
    "orientation": (_flat, "has an orientation that cannot be inverted"),
    "skewed axes": (_skewed, "has an orientation that cannot be inverted"),
    "voxel type": (_unknown_type, "has voxels of the unknown type 9999"),
    "half a header": (_bytes(gzip.compress(nibabel.nifti2.Nifti2Header().binaryblock[:350])), "350 of the 540 bytes"),
    "announced size": (_header_only, "has 2000x2000x2500 voxels, more than"),
    "complex": (lambda path: write_nifti(path, GREY.astype(np.complex64)), "holds voxels of type complex64"),
    "empty": (_bytes(b""), "is empty"),
    "gzip of text": (_bytes(gzip.compress(b"hello" * 100)), "is not a NIfTI volume"),
    "gzip of a PNG": (
        _bytes(gzip.compress(b"\x89PNG\r\n\x1a\n" + bytes(400))),
        "packed by gzip and holds an image; unpack it, as",
    ),
    "gzip of DICOM": (
        _bytes(gzip.compress(bytes(128) + b"DICM" + bytes(400))),
        "packed by gzip and holds a DICOM file; unpack",
    ),
    "gzip of NRRD": (
        _bytes(gzip.compress(b"NRRD0004\n" + bytes(400))),
        "packed by gzip and holds a NRRD or MetaImage volume; unp",
    ),
    "gzip of tar": (
        _bytes(gzip.compress(bytes(257) + b"ustar" + bytes(400))),
        "packed by gzip and holds a TAR archive; unpack it",
    ),
    "gzip of a film": (
        _bytes(gzip.compress(bytes(4) + b"ftypqt  " + bytes(400))),
        "packed by gzip and holds a film; save the frame",
    ),
    "text": (_bytes(b"hello" * 100), "is not a NIfTI volume"),
    "zip": (_bytes(b"PK\x03\x04" + bytes(400)), "is a ZIP archive"),
    "pair": (_pair, r"is half of a pair \(.hdr and .img\)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_volume_is_named(tmp_path: Path, fault: str) -> None:
    spoil, message = FAULTS[fault]
    spoil(tmp_path / "a.nii.gz")
    with pytest.raises(DrifaError, match=message) as caught:
        read_volume(tmp_path / "a.nii.gz")
    assert "a.nii.gz" in str(caught.value)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_volume_cut_short_is_never_half_read(tmp_path: Path, ending: str, share: float) -> None:
    path = write_nifti(tmp_path / f"a{ending}", GREY)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DrifaError, match=r"damaged or cut short|is not a NIfTI"):
        read_volume(path)


def test_a_flipped_bit_in_a_gzip_file_is_noticed(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", GREY)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DrifaError, match="damaged or cut short"):
        read_volume(path)


def test_a_slice_is_an_image_seen_from_the_feet(tmp_path: Path) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    ras = np.diag([1.0, 1.0, 1.0, 1.0])
    for array in (plane, plane[:, :, None]):
        image = read_image(write_nifti(tmp_path / "a.nii.gz", array, ras), 1)[:, :, 0]
        np.testing.assert_array_equal(image, plane[::-1, ::-1].T)  # right of the patient at the left, anterior at the top
    stored_lps = read_image(write_nifti(tmp_path / "b.nii", plane[::-1, ::-1], np.diag([-1.0, -1.0, 1.0, 1.0])), 1)
    np.testing.assert_array_equal(stored_lps[:, :, 0], image)
    coronal = read_image(write_nifti(tmp_path / "c.nii", plane[:, None, :], ras), 3)
    np.testing.assert_array_equal(coronal[:, :, 1], image)


def test_the_grey_scale_of_a_slice_comes_from_its_header(tmp_path: Path) -> None:
    plane = np.linspace(-100, 900, 35, dtype=np.float32).reshape(5, 7)
    with pytest.raises(DrifaError, match=r"float32 values without a display range \(cal_min, cal_max\)"):
        read_image(write_nifti(tmp_path / "a.nii", plane), 1)
    image = read_image(write_nifti(tmp_path / "a.nii", plane, np.eye(4), cal_min=0, cal_max=800), 1)[:, :, 0]
    np.testing.assert_allclose(image, (np.clip(plane / 800, 0, 1) * 255)[::-1, ::-1].T, atol=0.51)
    with pytest.raises(DrifaError, match="is a volume of 20x24x12 voxels"):
        read_image(write_nifti(tmp_path / "v.nii.gz", GREY), 1)
    with pytest.raises(DrifaError, match="has 20x24x12 voxels, more than 100"):
        read_image(tmp_path / "v.nii.gz", 1, max_megapixels=1e-4)
