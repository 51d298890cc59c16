"""NIfTI-1 and NIfTI-2 in one file, plain or gzipped. Read by hand, so that no more bytes enter than the header announces."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import nibabel
import numpy as np

from drifa.data.reading.blocks import BLOCK, to_bytes
from drifa.data.reading.files import damaged, foreign, is_dicom, read_head
from drifa.data.reading.nifti_header import affine_of, display_range, scaling_of
from drifa.data.reading.nrrd import is_nrrd_or_meta
from drifa.data.reading.raster import is_raster
from drifa.errors import DrifaError

# Extensions between header and voxels are skipped, but a header must not make us read for hours.
_LARGEST_OFFSET = 2**24
# Formats that are read unpacked only.
_READ = (("a DICOM file", is_dicom), ("an image", is_raster), ("a NRRD or MetaImage volume", is_nrrd_or_meta))


def read_nifti(path: Path, max_voxels: float, what: str = "volume") -> tuple[np.ndarray, nibabel.nifti1.Nifti1Header]:
    """Voxels as the file stores them, scaled by its slope and intercept.

    Args:
        path: The file.
        max_voxels: Largest accepted number of voxels, judged from the header.
        what: How errors call the file.

    Returns:
        ``(array, header)``; axes of length one at the end are dropped beyond the third.

    Shape:
        float32 [X, Y] or [X, Y, Z]; integers below 2^24 are exact.

    Raises:
        DrifaError: Not NIfTI, damaged, cut short, too large, of more than three dimensions, of a voxel type that is not a
            real number, or with voxels that are not finite.
    """
    head = read_head(path, what)
    try:
        with cast(BinaryIO, gzip.open(path, "rb") if head[:2] == b"\x1f\x8b" else open(path, "rb")) as file:
            header = _header(file, path, what)
            shape = _shape(header, path, max_voxels, what)
            dtype = _voxel_type(header, path, what)
            if dtype.kind not in "iuf":
                raise DrifaError(f"{what} {path} holds voxels of type {dtype}; save real numbers, such as int16 or float32")
            slope, intercept = scaling_of(header, path, what)
            offset = float(header["vox_offset"])
            if not (header.sizeof_hdr <= offset <= _LARGEST_OFFSET and offset.is_integer()):
                raise DrifaError(f"{what} {path} says that its voxels start at byte {offset:g}; save it again as NIfTI")
            file.read(int(offset) - header.sizeof_hdr)
            array = np.empty(int(np.prod(shape)), dtype=np.float32)
            wrong = 0
            # By blocks: the bytes of float64 voxels and their scaled values would take many times the memory of the result.
            for start in range(0, array.size, BLOCK):
                block = array[start : start + BLOCK]
                content = file.read(block.size * dtype.itemsize)
                if len(content) < block.size * dtype.itemsize:
                    found = start * dtype.itemsize + len(content)
                    raise damaged(path, f"{array.size * dtype.itemsize} bytes of voxels announced, {found} found", what)
                with np.errstate(over="ignore", invalid="ignore"):
                    block[:] = np.frombuffer(content, dtype=dtype).astype(np.float64) * slope + intercept
                wrong += block.size - int(np.isfinite(block).sum())
            file.read(1)  # at the end of a gzip file this compares its checksum
    except DrifaError:
        raise
    except (OSError, EOFError, zlib.error, ValueError, nibabel.spatialimages.HeaderDataError) as error:
        raise damaged(path, error, what) from None
    if wrong:
        raise DrifaError(
            f"{what} {path} has {wrong} voxels that are not finite (NaN or inf); set them to the background, as with "
            f"numpy.nan_to_num, and save it again"
        )
    return array.reshape(shape, order="F"), header


def read_slice(path: Path, max_pixels: float) -> np.ndarray:
    """A single slice as pixels, seen as radiologists see it: the patient's right at the left, anterior or superior at the top.

    Unsigned bytes are taken as they are; anything else needs the display range of the header (``cal_min``, ``cal_max``).

    Shape:
        uint8 [H, W].

    Raises:
        DrifaError: As :func:`read_nifti`; or several slices; or no display range.
    """
    array, header = read_nifti(path, max_pixels, "image")
    affine = affine_of(header, path, "image")
    array = array.reshape(*array.shape, *(1,) * (3 - array.ndim))
    if 1 not in array.shape:
        size = "x".join(str(side) for side in array.shape)
        raise DrifaError(
            f"{path} is a volume of {size} voxels; a row of this study is one image: save the slice you mean as PNG"
        )
    array = nibabel.orientations.apply_orientation(array, nibabel.orientations.io_orientation(affine))
    plane = np.squeeze(array, axis=2 - array.shape[::-1].index(1))
    shown = display_range(header, path)
    if shown is None:
        if header.get_data_dtype() != np.uint8 or scaling_of(header, path, "image") != (1, 0):
            raise DrifaError(
                f"image {path} holds {header.get_data_dtype()} values without a display range (cal_min, cal_max); "
                f"set it in the header, or window the image to 8 bits"
            )
        shown = 0.0, 255.0
    low, high = shown
    return to_bytes(plane, lambda block: (block.astype(np.float64) - low) / (high - low) * 255)[::-1, ::-1].T


def as_bytes(image: nibabel.nifti1.Nifti1Image, compressed: bool) -> bytes:
    """The content of a NIfTI file; the same image gives the same bytes."""
    content = image.to_bytes()
    return gzip.compress(content, compresslevel=6, mtime=0) if compressed else content


def _header(file: BinaryIO, path: Path, what: str) -> nibabel.nifti1.Nifti1Header:
    start = file.read(nibabel.nifti1.Nifti1Header.sizeof_hdr)
    if start[344:347] == b"ni1" or start[4:7] == b"ni2":
        raise DrifaError(f"{what} {path} is half of a pair (.hdr and .img); save it as one .nii or .nii.gz file")
    kind = nibabel.nifti1.Nifti1Header
    if start[4:7] == b"n+2":
        kind = nibabel.nifti2.Nifti2Header
        start += file.read(kind.sizeof_hdr - len(start))
    elif start[344:347] != b"n+1":
        if isinstance(file, gzip.GzipFile):
            meaning = foreign(start) or next(
                (f"{kind}; unpack it, as with gunzip" for kind, known in _READ if known(start)), ""
            )
            if meaning:
                raise DrifaError(f"{path} is packed by gzip and holds {meaning}, or remove its row from the study")
        raise DrifaError(f"{path} is not a NIfTI {what}; convert it to .nii.gz, or remove its row from the study")
    if len(start) < kind.sizeof_hdr:
        raise damaged(path, f"it ends after {len(start)} of the {kind.sizeof_hdr} bytes of a header", what)
    return kind.from_fileobj(io.BytesIO(start), check=False)


def _voxel_type(header: nibabel.nifti1.Nifti1Header, path: Path, what: str) -> np.dtype:
    try:
        return header.get_data_dtype()
    except (KeyError, nibabel.spatialimages.HeaderDataError):
        code = int(header["datatype"])
        raise DrifaError(f"{what} {path} has voxels of the unknown type {code}; save it as int16 or float32") from None


def _shape(header: nibabel.nifti1.Nifti1Header, path: Path, max_voxels: float, what: str) -> tuple[int, ...]:
    shape = tuple(int(side) for side in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    size = "x".join(str(side) for side in shape)
    if len(shape) < 2 or min(shape) < 1:
        raise DrifaError(f"{what} {path} has {size or 'no'} voxels by its header; it is damaged: fetch it again")
    if np.prod(shape, dtype=np.float64) > max_voxels:
        raise DrifaError(f"{what} {path} has {size} voxels, more than {max_voxels:g}; crop it, or scale it down")
    if len(shape) > 3:
        raise DrifaError(
            f"{what} {path} has {len(shape)} dimensions ({size}); save the channel or time point you mean by itself"
        )
    return shape
