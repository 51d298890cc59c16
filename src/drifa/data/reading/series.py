"""A folder with one DICOM series as a volume: its slices in the order of their positions, or refused by name.

References:
    DICOM PS3.3 C.7.6.2 (image plane module): position, orientation and spacing, in mm towards the left, back and head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from drifa.data.reading.dicom import read_header, read_values
from drifa.data.reading.dicom_numbers import name_of, numbers, whole
from drifa.data.reading.files import is_dicom, read_head
from drifa.data.reading.nifti_header import invertible
from drifa.errors import DrifaError

# What archives and programs leave beside the slices.
_BESIDE = ("dicomdir", "thumbs.db", "desktop.ini")
_NOTES = (".txt", ".json", ".xml", ".csv", ".md", ".html")
# Positions and orientations are written with few digits; a share of the shortest voxel side, and of a unit vector.
_TOLERANCE = 0.1
_PARALLEL = 1e-3
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class _Slice:
    """Where one slice lies, and what it shows. Shape: position [3], axes [2, 3] (along a row, down a column), spacing [2]
    (of these)."""

    path: Path
    series: str
    size: tuple[int, int]
    position: np.ndarray
    axes: np.ndarray
    spacing: np.ndarray
    kinds: dict[str, str]


def read_series(folder: Path, max_voxels: float) -> tuple[np.ndarray, np.ndarray]:
    """Rescaled voxels of a series, and the way from them to millimetres in RAS.

    Windows play no part, as in the volumes that converters write; padding keeps its value.

    Args:
        folder: Holds the slices of one series, one per file.
        max_voxels: Largest accepted number of voxels, judged from the headers.

    Shape:
        float32 [X, Y, Z], X along a row of a slice; float64 [4, 4].

    Raises:
        DrifaError: Fewer than two slices; several series; slices of different sizes, orientations or spacings; two of one
            place; a gap; or a file that is no grey DICOM slice of a patient.
    """
    slices = [_read_place(path) for path in _files(folder)]
    first = slices[0]
    for other in slices[1:]:
        _check_alike(folder, first, other)
    across, down, count = *first.size, len(slices)
    if across * down * count > max_voxels:
        raise DrifaError(
            f"volume {folder} has {across}x{down}x{count} voxels, more than {max_voxels:g}; crop it, or scale it down"
        )
    normal = np.cross(*first.axes)
    slices.sort(key=lambda one: float(one.position @ normal))
    step = _step(folder, slices, normal)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([*(first.axes * first.spacing[:, None]), step])
    affine[:3, 3] = slices[0].position
    array = np.empty((across, down, count), dtype=np.float32, order="F")
    for number, one in enumerate(slices):
        array[:, :, number] = read_values(one.path, max_voxels).T
    return array, invertible(_TO_RAS @ affine, folder)


def slice_files(folder: Path) -> list[Path]:
    """The files that a volume in a folder is made of, sorted."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and path.name.lower() not in _BESIDE
        and path.suffix.lower() not in _NOTES
        and not path.is_dir()
    )


def _files(folder: Path) -> list[Path]:
    try:
        files = slice_files(folder)
    except OSError as error:
        raise DrifaError(f"volume {folder} cannot be read ({error.strerror}); change its permissions") from None
    if len(files) < 2:
        inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
        hint = f", and folders such as {inside[0]}: name the folder of one series" if inside else ""
        raise DrifaError(
            f"{folder} is a folder of {len(files)} files{hint}; a volume is one file, or a folder with the two or more slices "
            f"of one DICOM series"
        )
    return files


def _read_place(path: Path) -> _Slice:
    if not is_dicom(read_head(path, "volume")):
        raise DrifaError(f"{path} is not DICOM, and lies among the slices of a volume; move it out of the folder")
    dataset = read_header(path)
    if "Rows" not in dataset:
        raise DrifaError(
            f"{path} is a DICOM file without an image, and lies among the slices of a volume; move it out of the folder"
        )
    if whole(dataset, "NumberOfFrames", path, 1) > 1:
        raise DrifaError(f"{path} has several frames; convert it to NIfTI, or export it with one slice per file")
    across, down = whole(dataset, "Columns", path), whole(dataset, "Rows", path)
    axes = np.reshape(_vector(dataset, "ImageOrientationPatient", path, 6), (2, 3))
    if not np.allclose(axes @ axes.T, np.eye(2), atol=_PARALLEL * 10):
        raise DrifaError(
            f"{path} has {axes.ravel().tolist()} as {name_of('ImageOrientationPatient')}, which are no two directions at a "
            f"right angle; correct its header"
        )
    spacing = _vector(dataset, "PixelSpacing", path, 2)
    if not (spacing > 0).all():
        raise DrifaError(f"{path} has {spacing.tolist()} as {name_of('PixelSpacing')}; correct its header")
    return _Slice(
        path=path,
        series=str(dataset.get("SeriesInstanceUID", "")),
        size=(across, down),
        position=_vector(dataset, "ImagePositionPatient", path, 3),
        axes=axes,
        spacing=spacing[::-1],  # the file says rows first
        kinds=_kinds(dataset),
    )


def _kinds(dataset: Dataset) -> dict[str, str]:
    """What must be alike in the slices of one volume, by what a mixture of it is; nothing where the file does not say."""
    image_type = dataset.get("ImageType") or ()
    parts = {str(part) for part in ([image_type] if isinstance(image_type, str) else image_type)}
    scaled = any(dataset.get(one) not in (None, "") for one in ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"))
    return {
        "patients": str(dataset.get("PatientID") or "").strip(),
        "frames of reference": str(dataset.get("FrameOfReferenceUID") or ""),
        "photometric interpretations": str(dataset.get("PhotometricInterpretation") or ""),
        "units": str(dataset.get("RescaleType") or dataset.get("Units") or ""),
        "magnitudes, phases or parts of complex numbers": "".join(sorted(parts & {"M", "P", "R", "I"})),
        "values with and without a rescale": "with" if scaled else "without",
    }


def _vector(dataset: Dataset, keyword: str, path: Path, length: int) -> np.ndarray:
    values = numbers(dataset, keyword, path)
    if len(values) != length:
        raise DrifaError(
            f"image {path} has {len(values)} numbers as {name_of(keyword)} instead of {length}, so its place in the patient is "
            f"unknown; export it again, or convert the series to NIfTI"
        )
    return np.array(values)


def _check_alike(folder: Path, first: _Slice, other: _Slice) -> None:
    def refuse(what: str, remedy: str) -> DrifaError:
        return DrifaError(f"{folder} mixes {what}: {first.path.name} and {other.path.name}; {remedy}")

    if first.series != other.series:
        raise refuse("several DICOM series", "move each into a folder of its own")
    for what, kind in first.kinds.items():
        if kind and other.kinds[what] and kind != other.kinds[what]:
            raise refuse(what, "move each into a folder of its own, or export the series again")
    if first.size != other.size:
        sizes = " and ".join(f"{one.size[0]}x{one.size[1]}" for one in (first, other))
        raise refuse(f"slices of {sizes} pixels", "move the odd ones, such as a scout, out of the folder")
    if not np.allclose(first.axes, other.axes, atol=_PARALLEL):
        raise refuse("slices of different orientations", "move each stack into a folder of its own")
    if not np.allclose(first.spacing, other.spacing, rtol=_PARALLEL):
        raise refuse("slices of different pixel spacings", "move each stack into a folder of its own")


def _step(folder: Path, slices: Sequence[_Slice], normal: np.ndarray) -> np.ndarray:
    """From one slice to the next in mm: [3]; gantry tilt makes it lean."""
    heights = np.array([one.position @ normal for one in slices])
    steps = np.diff(heights)
    usual = float(np.median(steps))
    margin = _TOLERANCE * min(usual, *slices[0].spacing)
    for number, gap in enumerate(steps):
        below, above = slices[number], slices[number + 1]
        names = f"{below.path.name} and {above.path.name}"
        if gap <= margin:
            raise DrifaError(
                f"{folder} has two slices of one place, {names}; keep one of them, or, if they are time points or echoes, move "
                f"each into a folder of its own"
            )
        if gap > usual + margin:
            raise DrifaError(
                f"{folder} has a gap of {gap:.4g} mm between {names}, where its slices are {usual:.4g} mm apart; "
                f"fetch the missing slices again, or resample the series"
            )
    step = (slices[-1].position - slices[0].position) / (len(slices) - 1)
    for number, one in enumerate(slices):
        away = float(np.linalg.norm(slices[0].position + number * step - one.position))
        if away > max(margin, _TOLERANCE * float(slices[0].spacing.min())):
            raise DrifaError(
                f"{folder} has slices that lie on no straight stack: {one.path.name} is {away:.3g} mm off; "
                f"resample the series, or convert it to NIfTI"
            )
    return step
