"""Reading a volume and writing a mask back onto its grid: the one door for NIfTI, NRRD, MetaImage and DICOM series."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from drifa.data.reading.files import is_dicom, read_head
from drifa.data.reading.nifti import as_bytes, read_nifti
from drifa.data.reading.nifti_header import affine_of
from drifa.data.reading.nrrd import data_file, is_nrrd_or_meta, read_nrrd_or_meta
from drifa.data.reading.series import read_series, slice_files
from drifa.errors import DrifaError
from drifa.files import atomic_path

#: Two grids agree when no corner of one lies further from the other's than this share of the shorter voxel side.
GRID_TOLERANCE = 0.1


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels with their first axis towards the patient's right, the second towards anterior, the third towards superior (RAS+).

    Axes are flipped and swapped to the nearest such order, never resampled: an oblique scan stays oblique, as its affine says.

    Args:
        array: Voxels.
        affine: From voxel index to millimetres, in RAS.
        original_affine: The same of the file's own axes.
        original_shape: Shape in the file.
        path: The file.

    Shape:
        array float32 [X, Y, Z]; affine, original_affine float64 [4, 4].
    """

    array: np.ndarray
    affine: np.ndarray
    original_affine: np.ndarray
    original_shape: tuple[int, ...]
    path: Path

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along each axis in mm."""
        x, y, z = nibabel.affines.voxel_sizes(self.affine)
        return float(x), float(y), float(z)

    def __str__(self) -> str:
        size = "x".join(str(side) for side in self.array.shape)
        corner, spacing = self.affine[:3, 3].round(2).tolist(), [round(side, 3) for side in self.spacing]
        return f"{self.path} ({size} voxels of {spacing} mm, first at {corner})"


def read_volume(path: str | Path, max_voxels: float = 2**27) -> Volume:
    """Reads one volume: a NIfTI, NRRD or MetaImage file, or a folder with one DICOM series.

    A file of a single slice counts as a volume of depth one.

    Args:
        path: The file or folder; its content decides what it is, not its name.
        max_voxels: Largest accepted number of voxels (default: 512x512x512), judged from the header.

    Returns:
        The voxels in RAS+ order, with what is needed to write a mask in the file's own order.

    Raises:
        DrifaError: The file is missing, none of these, damaged, cut short, too large, of several volumes, without a valid
            orientation, or it has voxels that are not finite; a series is mixed, or has gaps or duplicates.
    """
    path = Path(path)
    return oriented(*_stored(path, max_voxels), path)


def oriented(array: np.ndarray, affine: np.ndarray, stored: tuple[int, ...], path: Path) -> Volume:
    """A volume of voxels in the order of their file.

    Args:
        array: Voxels; two axes are a volume of depth one.
        affine: From voxel index to millimetres, in RAS.
        stored: Shape in the file.
        path: The file.

    Shape:
        array float32 [X, Y] or [X, Y, Z]; affine float64 [4, 4].
    """
    shape = array.shape if array.ndim == 3 else (*array.shape, 1)
    orientation = io_orientation(affine)
    return Volume(
        array=np.ascontiguousarray(apply_orientation(array.reshape(shape), orientation)),
        affine=affine @ inv_ornt_aff(orientation, shape),
        original_affine=affine,
        original_shape=stored,
        path=path,
    )


def volume_files(path: Path) -> list[Path]:
    """The files that a volume is read from: itself, the slices in its folder, or both files of a pair.

    Args:
        path: As for :func:`read_volume`.

    Raises:
        OSError: The folder or file cannot be read.
    """
    if path.is_dir():
        return slice_files(path)
    voxels = data_file(path)
    return [path, voxels] if voxels else [path]


def volume_kind(path: Path) -> str:
    """Format and stored kind of voxel of a volume that can be read, such as `NIfTI int16`."""
    if path.is_dir():
        return "DICOM series"
    head = read_head(path, "volume")
    if is_nrrd_or_meta(head):
        return "NRRD" if head.startswith(b"NRRD") else "MetaImage"
    with gzip.open(path) if head[:2] == b"\x1f\x8b" else open(path, "rb") as file:
        start = file.read(nibabel.Nifti2Header.sizeof_hdr)
    kind = nibabel.Nifti2Header if start[4:7] == b"n+2" else nibabel.Nifti1Header
    return f"NIfTI {kind(start[: kind.sizeof_hdr], check=False).get_data_dtype()}"


def _stored(path: Path, max_voxels: float) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Voxels in the file's own order, the way from them to millimetres, and the shape that the file names."""
    if path.is_dir():
        array, affine = read_series(path, max_voxels)
        return array, affine, array.shape
    head = read_head(path, "volume")
    if is_nrrd_or_meta(head):
        array, affine = read_nrrd_or_meta(path, head, max_voxels)
        return array, affine, array.shape
    if is_dicom(head):
        raise DrifaError(f"volume {path} is one DICOM file; name the folder with the slices of its series")
    array, header = read_nifti(path, max_voxels)
    return array, affine_of(header, path), tuple(int(side) for side in header.get_data_shape())


def write_mask(path: str | Path, array: np.ndarray, like: Volume) -> Path:
    """Writes a mask as NIfTI on the grid of a volume: its orientation, affine and shape, whole or not at all.

    Args:
        path: Target; ends in `.nii` or `.nii.gz`.
        array: Mask values 0 to 255, in RAS+ order as ``like.array``.
        like: The volume that the mask belongs to.

    Shape:
        array [X, Y, Z], any integer or bool type, or floats that are whole.

    Raises:
        DrifaError: Another shape than the volume's, other values than whole numbers of 0 to 255, or another file ending.
    """
    path = Path(path)
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise DrifaError(f"mask {path} should end in .nii or .nii.gz; rename it")
    image = mask_image(array, like)
    with atomic_path(path) as temporary:
        temporary.write_bytes(as_bytes(image, compressed=path.name.lower().endswith(".gz")))
    return path


def mask_image(array: np.ndarray, like: Volume) -> nibabel.nifti1.Nifti1Image:
    """A mask on the grid of a volume, as :func:`write_mask` writes it: its orientation, affine and shape; uint8.

    Args:
        array: Mask values 0 to 255, in RAS+ order as ``like.array``. ``[X, Y, Z]``
        like: The volume that the mask belongs to.

    Raises:
        DrifaError: Another shape than the volume's, or other values than whole numbers of 0 to 255.
    """
    if array.shape != like.array.shape:
        raise DrifaError(f"the mask has the shape {array.shape}; the volume it belongs to is {like}")
    with np.errstate(invalid="ignore"):
        mask = array.astype(np.uint8)
    if not np.array_equal(mask, array):
        raise DrifaError(f"the mask for {like.path} has values {array.min()} to {array.max()}; use whole numbers of 0 to 255")
    back = ornt_transform(axcodes2ornt("RAS"), io_orientation(like.original_affine))
    image = nibabel.nifti1.Nifti1Image(apply_orientation(mask, back).reshape(like.original_shape), None)
    image.header.set_xyzt_units("mm")
    image.set_sform(like.original_affine, code=1)
    try:
        image.set_qform(like.original_affine, code=1, strip_shears=False)
    except nibabel.spatialimages.HeaderDataError:
        image.set_qform(None)  # a sheared grid has no qform; the sform says it all
    return image


def check_grids(volumes: Mapping[str, Volume]) -> None:
    """Checks that volumes of one subject lie on one grid: equal shapes, corners within a tenth of a voxel (GRID_TOLERANCE).

    Args:
        volumes: By modality or task.

    Raises:
        DrifaError: Two of them differ; names both files with their grids.
    """
    (first, reference), *others = volumes.items()
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in reference.array.shape], [1], indexing="ij")).reshape(4, -1)
    for name, volume in others:
        gap = np.linalg.norm(((volume.affine - reference.affine) @ corners)[:3], axis=0).max()
        if volume.array.shape != reference.array.shape or gap > GRID_TOLERANCE * min(reference.spacing):
            raise DrifaError(
                f"{first} and {name} of one subject lie on different grids: {reference} and {volume}; "
                f"register and resample one onto the other"
            )
