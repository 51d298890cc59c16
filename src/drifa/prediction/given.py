"""What somebody holds in memory instead of a file: pictures, arrays, tensors, DICOM datasets, NIfTI volumes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import torch
from PIL import Image

from drifa.data import read_image
from drifa.data.reading.images import with_channels
from drifa.data.reading.nifti_header import affine_of
from drifa.data.reading.raster import pixels_of
from drifa.data.reading.volumes import Volume, oriented, read_volume
from drifa.errors import DrifaError

#: How the readers' errors call what comes from no file.
PLACE = Path("in memory")
#: What is taken for a picture and for a volume, in the words of an error.
PICTURES = (
    "a path, a PIL image, a numpy array [H, W] or [H, W, C], a torch tensor [C, H, W] (uint8, or floats in [0, 1]; C 1 or 3, "
    "RGB) or a pydicom dataset"
)
VOLUMES = "a path or a nibabel NIfTI image, whose affine says how it lies in space"


@dataclass(frozen=True, eq=False)
class Held:
    """Something in memory; it is looked at only when it is read."""

    value: Any

    def __str__(self) -> str:
        shape, dtype = getattr(self.value, "shape", None), getattr(self.value, "dtype", "")
        return " ".join(filter(None, ["in memory:", type(self.value).__name__, str(dtype), "x".join(map(str, shape or ()))]))

    def pixels(self, channels: int) -> np.ndarray:
        """As :func:`drifa.data.read_image` gives the same picture from a file: uint8 ``[H, W, channels]``.

        Raises:
            DrifaError: It is none of :data:`PICTURES`.
        """
        value = self.value
        if isinstance(value, Image.Image):
            return with_channels(_of_picture(value), channels)
        if isinstance(value, pydicom.Dataset):
            return _of_dataset(value, channels)
        if isinstance(value, torch.Tensor):
            shape = list(value.shape)
            if value.ndim != 3 or value.shape[0] not in (1, 3):
                raise DrifaError(f"a tensor of the shape {shape} is no image [C, H, W] with C of 1 or 3; permute its axes")
            value = value.detach().cpu().permute(1, 2, 0)
            value = (value.float() if value.is_floating_point() else value).numpy()
        if isinstance(value, np.ndarray):
            return with_channels(_of_array(value), channels)
        raise DrifaError(f"a {type(value).__name__} is no image; give {PICTURES}")

    def volume(self) -> Volume:
        """As :func:`drifa.data.reading.volumes.read_volume` gives the same volume from a file.

        Raises:
            DrifaError: It is none of :data:`VOLUMES`, or what no file may be either.
        """
        image = self.value
        if not isinstance(image, nibabel.nifti1.Nifti1Image):  # NIfTI-2 is one of them
            raise DrifaError(f"a {type(image).__name__} is no volume; give {VOLUMES}")
        if not 2 <= len(image.shape) <= 3 or 0 in image.shape:
            raise DrifaError(
                f"a NIfTI image of the shape {list(image.shape)} is no volume; give the one that you mean by itself"
            )
        if image.get_data_dtype().kind not in "iuf":
            raise DrifaError(
                f"a NIfTI image of {image.get_data_dtype()} voxels is no volume; give real numbers, such as float32"
            )
        stored = image.dataobj
        with np.errstate(over="ignore", invalid="ignore"):
            array = stored.get_scaled(np.float64) if hasattr(stored, "get_scaled") else np.asarray(stored)
            array = np.asarray(array, dtype=np.float32)
        if not np.isfinite(array).all():
            raise DrifaError("a NIfTI image has voxels that are not finite (NaN or inf); set them to the background")
        return oriented(array, affine_of(image.header, PLACE), image.shape, PLACE)


#: What a case has of a modality.
Picture = Path | Held


def picture(value: Any) -> Picture:
    """What stands for a value: a path as such, everything else as it is held."""
    return Path(value) if isinstance(value, str | Path) else Held(value)


def pixels_from(value: Picture, channels: int) -> np.ndarray:
    """uint8 ``[H, W, channels]`` of a file or of what is held."""
    return value.pixels(channels) if isinstance(value, Held) else read_image(value, channels)


def volume_from(value: Picture) -> Volume:
    """A volume of a file or of what is held."""
    return value.volume() if isinstance(value, Held) else read_volume(value)


def _of_picture(image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        raise DrifaError("a PIL image of floats (mode F) has no white; give a numpy array of floats in [0, 1]")
    try:
        return pixels_of(image, PLACE)
    except (OSError, ValueError, SyntaxError) as error:
        raise DrifaError(f"a PIL image cannot be read ({error}); load it before its file is closed") from None


def _of_array(array: np.ndarray) -> np.ndarray:
    """uint8 ``[H, W]`` or ``[H, W, 3]``."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)) or 0 in array.shape:
        raise DrifaError(
            f"an array of the shape {list(array.shape)} is no image [H, W], [H, W, 1] or [H, W, 3]; give its axes that order, "
            f"without an alpha channel"
        )
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not 0 <= low <= high <= 1:  # also where one of them is NaN
            raise DrifaError(
                f"an array of floats holds {low:g} to {high:g}; give 0 (black) to 1 (white), not standardised, or uint8"
            )
        array = np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise DrifaError(f"an array of {array.dtype} has no natural white; give uint8, or floats in [0, 1]")
    return np.ascontiguousarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _of_dataset(dataset: pydicom.Dataset, channels: int) -> np.ndarray:
    """Through a file that only this user can read, and that is gone afterwards: the careful reader reads bytes."""
    with tempfile.TemporaryDirectory(prefix="drifa-") as folder:
        path = Path(folder) / "held.dcm"
        try:
            pydicom.dcmwrite(path, dataset)
        except Exception as error:  # pydicom raises many kinds for a dataset that is not whole
            raise DrifaError(
                f"a pydicom dataset cannot be encoded ({' '.join(str(error).split())}); give one as pydicom.dcmread gave it"
            ) from None
        try:
            return read_image(path, channels)
        except DrifaError as error:
            raise DrifaError(str(error).replace(str(path), str(PLACE))) from None
