"""Reading an image file: the one door through which pixels enter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from drifa.data.reading import raster
from drifa.data.reading.files import is_dicom, read_head
from drifa.errors import DrifaError

#: Endings of files that :func:`read_image` reads. The content decides, not the ending: these are for finding files.
SUFFIXES = (*raster.SUFFIXES, ".dcm", ".dicom")
#: Endings of files that :func:`drifa.data.reading.volumes.read_volume` reads.
VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


def read_image(path: str | Path, channels: int, max_megapixels: float = 100.0) -> np.ndarray:
    """Decodes a BMP, PNG, JPEG, TIFF or DICOM file, or a NIfTI file that holds one slice.

    The EXIF rotation is applied. Transparency is laid on black, the background of medical images. 16 bits become 8 by a fixed
    scale (65535 -> 255), never by the image's own range, which would make grey values incomparable; window images of fewer
    used bits beforehand. A DICOM image is shown through its first window, or through the full range of its stored bits where
    it has none; a NIfTI slice through the display range of its header. Grey becomes RGB by repetition, RGB becomes grey by
    its luma (ITU-R BT.601).

    Args:
        path: The file; its content decides what it is, not its name.
        channels: 1 (grey) or 3 (RGB).
        max_megapixels: Largest accepted image in 10^6 pixels, judged from the header before anything is decoded.

    Returns:
        Pixels, 0 to 255.

    Shape:
        uint8 [H, W, channels].

    Raises:
        DrifaError: The file is missing, empty, not an image of these formats, damaged, too large, of several pages, or of a
            pixel type without a natural 8-bit scale; the message names the path and the remedy.
    """
    path = Path(path)
    head = read_head(path)
    # DICOM first: its preamble may hold the header of a TIFF. Its library, as NIfTI's, is imported only where a file needs it.
    if is_dicom(head):
        from drifa.data.reading.dicom import read_dicom

        pixels = read_dicom(path, max_megapixels * 1e6)
    elif raster.is_raster(head):
        pixels = raster.read_raster(path, head, max_megapixels * 1e6)
    elif _is_nifti(head):
        from drifa.data.reading.nifti import read_slice

        pixels = read_slice(path, max_megapixels * 1e6)
    else:
        raise DrifaError(
            f"{path} is not a BMP, PNG, JPEG, TIFF, DICOM or NIfTI image; convert it to PNG, or remove its row from the study"
        )
    return with_channels(pixels, channels)


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Grey or colour, whichever it was: uint8 ``[H, W]`` or ``[H, W, 3] -> [H, W, channels]`` with 1 or 3 channels."""
    image = Image.fromarray(pixels).convert("L" if channels == 1 else "RGB")
    return np.asarray(image).reshape(image.height, image.width, channels)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Stretches an image to a square, as the paper does; shrinking averages over the area (antialiased bilinear).

    Args:
        image: Pixels.
        size: Side in pixels.

    Shape:
        uint8 [H, W, C] with C of 1 or 3 -> uint8 [size, size, C].
    """
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)).reshape(size, size, image.shape[2])


def _is_nifti(head: bytes) -> bool:
    # A gzip file of anything else is told apart by the NIfTI reader, which unpacks it.
    return head[:2] == b"\x1f\x8b" or head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2")
