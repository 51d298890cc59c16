"""A folder of DICOM slices is a volume: in order, in its place, and whole, or refused by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from drifa.data.reading.volumes import read_volume, volume_files, volume_kind, write_mask
from drifa.errors import DrifaError
from tests.nifti_files import write_nifti
from tests.series_files import write_series

HOUNSFIELD = np.random.default_rng(0).integers(-1024, 2000, (7, 5, 6)).astype(np.int16)
AXES = nibabel.eulerangles.euler2mat(0.1, -0.2, 0.05)  # towards the left, back and head
CORNER = np.array([-100.0, -80.0, 40.0])
SPACING = np.array([0.5, 0.75, 2.0])


def _slice(number: int, **tags: Any) -> Dataset:
    """One slice of HOUNSFIELD, whose first axis runs along a row."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.SeriesInstanceUID = CTImageStorage, f"1.2.3.{number + 1}", "1.2.3"
    dataset.PatientName = "Doe^Jane"
    dataset.Columns, dataset.Rows, _ = HOUNSFIELD.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    dataset.PixelData = (HOUNSFIELD[:, :, number].T + 1024).astype("<u2").tobytes()
    dataset.ImageOrientationPatient = [round(float(part), 9) for part in AXES.T[:2].ravel()]
    dataset.ImagePositionPatient = [round(float(part), 6) for part in CORNER + number * SPACING[2] * AXES[:, 2]]
    dataset.PixelSpacing = [SPACING[1], SPACING[0]]
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Named so that no order of names is the order of the slices."""
    folder = tmp_path / "series"
    folder.mkdir()
    for number, name in enumerate(["c", "a.dcm", "f", "b", "e.dcm", "d"]):
        _slice(number).save_as(folder / name, enforce_file_format=True)
    return folder


def test_slices_become_the_volume_that_nifti_would_hold(series: Path, tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = AXES * SPACING, CORNER
    source = write_nifti(tmp_path / "a.nii", HOUNSFIELD, np.diag([-1, -1, 1, 1]) @ affine)
    volume, expected = read_volume(series), read_volume(source)
    np.testing.assert_array_equal(volume.array, expected.array)
    np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-5)
    np.testing.assert_allclose(volume.spacing, SPACING, rtol=1e-6)
    mask = volume.array > 0
    write_mask(tmp_path / "mask.nii", mask, like=volume)
    np.testing.assert_array_equal(read_volume(tmp_path / "mask.nii").array, mask)
    assert volume_kind(series) == "DICOM series"


def test_another_library_sees_the_same_volume(series: Path, tmp_path: Path) -> None:
    itk = pytest.importorskip("SimpleITK", reason="needs the extra `volumes`")
    reader = itk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(series)))
    itk.WriteImage(reader.Execute(), str(tmp_path / "a.nii"))
    volume, expected = read_volume(series), read_volume(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.array, expected.array)
    np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-4)


def test_a_real_subject_written_as_slices_comes_back(tmp_path: Path, real: Callable[[str], Path]) -> None:
    source = read_volume(min((real("brats") / "BraTS-GLI-00000-000").glob("*t2f*")))
    values = source.array[:, :, 60:80]
    write_series(tmp_path / "series", values, source.affine @ nibabel.affines.from_matvec(np.eye(3), [0, 0, 60]))
    volume = read_volume(tmp_path / "series")
    np.testing.assert_array_equal(volume.array, values)
    np.testing.assert_allclose(volume.affine[:3, :3], source.affine[:3, :3], atol=1e-6)
    np.testing.assert_allclose(volume.affine @ [0, 0, 0, 1], source.affine @ [0, 0, 60, 1], atol=1e-4)


def test_what_programs_leave_beside_the_slices_plays_no_part(series: Path) -> None:
    expected = read_volume(series)
    for name in ("DICOMDIR", ".DS_Store", "Thumbs.db", "notes.txt", "report.json"):
        (series / name).write_bytes(b"something else")
    (series / "other").mkdir()
    np.testing.assert_array_equal(read_volume(series).array, expected.array)
    assert [path.name for path in volume_files(series)] == ["a.dcm", "b", "c", "d", "e.dcm", "f"]


def test_each_slice_is_rescaled_by_its_own_header(series: Path) -> None:
    expected = read_volume(series).array
    halved = HOUNSFIELD[:, :, 1].T // 2 * 2
    _slice(1, RescaleSlope=2, RescaleIntercept=-1024, PixelData=((halved + 1024) // 2).astype("<u2").tobytes()).save_as(
        series / "a.dcm", enforce_file_format=True
    )
    difference = np.abs(read_volume(series).array - expected)
    assert difference.max() == 1
    assert (difference.max(axis=(0, 1)) > 0).sum() == 1


def test_gantry_tilt_leans_the_stack(tmp_path: Path) -> None:
    lean = AXES[:, 1] * 0.5
    for number in range(4):
        position = CORNER + number * (SPACING[2] * AXES[:, 2] + lean)
        _slice(number, ImagePositionPatient=position.round(6).tolist()).save_as(
            tmp_path / str(number), enforce_file_format=True
        )
    steps = np.diag([-1, -1, 1]) @ read_volume(tmp_path).original_affine[:3, :3]
    np.testing.assert_allclose(steps[:, 2], SPACING[2] * AXES[:, 2] + lean, atol=1e-5)


def _place(number: float) -> list[float]:
    return (CORNER + number * SPACING[2] * AXES[:, 2]).round(6).tolist()


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"SeriesInstanceUID": "1.2.4"}, r"mixes several DICOM series: .* and .*; move each into a folder of its own"),
        ({"ImagePositionPatient": _place(2.0)}, "two slices of one place, (d and f|f and d); keep one"),
        ({"ImagePositionPatient": _place(6.0)}, "a gap of 4 mm between e.dcm and d, where its slices are 2 mm apart"),
        ({"ImagePositionPatient": [400, 0, 0]}, "a gap of|no straight stack"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, "mixes slices of different orientations"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "no two directions at a right angle"),
        ({"ImageOrientationPatient": [1, 0, 0]}, r"has 3 numbers as \(0020,0037\) .* instead of 6"),
        ({"ImagePositionPatient": None}, r"has 0 numbers as \(0020,0032\)"),
        ({"PixelSpacing": [1, 1]}, "mixes slices of different pixel spacings"),
        ({"PixelSpacing": [0, 1]}, r"\(0028,0030\) Pixel Spacing; correct"),
        ({"Rows": 7, "Columns": 5}, "mixes slices of .*5x7"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "mixes photometric interpretations: .*; move each into a folder"),
        ({"RescaleSlope": None, "RescaleIntercept": None}, "mixes values with and without a rescale: a.dcm and d"),
        ({"NumberOfFrames": 2}, "has several frames; convert it to NIfTI"),
        ({"PixelData": b"\0\0"}, "damaged or cut short"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "mixes photometric interpretations"),
    ],
)
def test_a_series_that_is_no_volume_is_refused_by_name(series: Path, tags: dict[str, Any], message: str) -> None:
    _slice(5, **tags).save_as(series / "d", enforce_file_format=True)
    with pytest.raises(DrifaError, match=message) as caught:
        read_volume(series)
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("keyword", "values", "message"),
    [
        ("PatientID", ("Jane", "Jane Roe"), "mixes patients"),
        ("FrameOfReferenceUID", ("1.2.3", "1.2.4"), "mixes frames of reference"),
        ("RescaleType", ("HU", "US"), "mixes units"),
        ("ImageType", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]), "mixes magnitudes, phases"),
    ],
)
def test_slices_that_do_not_show_one_thing_are_refused_without_a_name(
    series: Path, keyword: str, values: tuple[Any, Any], message: str
) -> None:
    expected = read_volume(series).array
    for number, name in enumerate(["a.dcm", "b", "c", "d", "e.dcm", "f"]):
        dataset = pydicom.dcmread(series / name)
        setattr(dataset, keyword, values[0])
        dataset.save_as(series / name)
        if number == 4:  # what the file does not say contradicts nothing
            np.testing.assert_array_equal(read_volume(series).array, expected)
    setattr(dataset, keyword, values[1])
    dataset.save_as(series / "f")
    with pytest.raises(DrifaError, match=message) as caught:
        read_volume(series)
    assert "Jane" not in str(caught.value)


def test_a_lost_slice_is_a_gap_and_a_copied_one_a_duplicate(series: Path) -> None:
    shutil.copy(series / "b", series / "copy of b")
    with pytest.raises(DrifaError, match=r"two slices of one place, (b and copy of b|copy of b and b)"):
        read_volume(series)
    (series / "copy of b").unlink()
    (series / "b").unlink()
    with pytest.raises(DrifaError, match=r"a gap of 4 mm between f and e\.dcm"):
        read_volume(series)


def test_folders_that_hold_no_series_and_files_that_are_none_say_so(series: Path, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="folder of 0 files, and folders such as series: name the folder of one series"):
        read_volume(tmp_path)
    report = _slice(0)
    del report.Rows
    report.save_as(series / "h", enforce_file_format=True)
    with pytest.raises(DrifaError, match="h is a DICOM file without an image, and lies among the slices"):
        read_volume(series)
    (series / "h").unlink()
    with pytest.raises(DrifaError, match="is one DICOM file; name the folder"):
        read_volume(series / "a.dcm")
    with pytest.raises(DrifaError, match="7x5x6 voxels, more than 100"):
        read_volume(series, max_voxels=100)
    (series / "g").write_bytes(b"cut")
    with pytest.raises(DrifaError, match="g is not DICOM, and lies among the slices"):
        read_volume(series)


def test_folders_of_scanners_are_read_or_refused_by_name(tmp_path: Path) -> None:
    root = Path(pydicom.__file__).parent / "data/test_files/dicomdirtests"
    if not root.is_dir():
        pytest.skip("pydicom is installed without its test files")
    for folder, message in {
        "98892003/MR1": "mixes several DICOM series",
        "98892003/MR700": "mixes slices of different orientations",  # views from around the head
        "77654033/CT2": r"a gap of 202\.5 mm between .* 1\.25 mm apart",
    }.items():
        with pytest.raises(DrifaError, match=message):
            read_volume(root / folder)
    volume = read_volume(root / "98892001/CT5N")
    assert volume.array.shape == (16, 16, 5)
    np.testing.assert_allclose(volume.spacing, [0.488281, 0.488281, 2.5], atol=1e-4)
    itk = pytest.importorskip("SimpleITK", reason="needs the extra `volumes`")
    reader = itk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(root / "98892001/CT5N")))
    itk.WriteImage(reader.Execute(), str(tmp_path / "a.nii"))
    np.testing.assert_array_equal(volume.array, read_volume(tmp_path / "a.nii").array)
