"""NRRD and MetaImage volumes (`.nrrd`, `.nhdr`, `.mha`, `.mhd`), through SimpleITK, the extra `volumes`.

References:
    The NRRD file format (teem.sourceforge.net/nrrd/format.html); MetaIO's tag list of MetaImage.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np

from drifa.data.reading.files import damaged, unsupported
from drifa.data.reading.nifti_header import invertible
from drifa.data.reading.nrrd_header import NRRD, check_text, voxel_file
from drifa.errors import DrifaError

INSTALL = "pip install 'drifa[volumes]'"
_META = re.compile(rb"\s*(ObjectType|ObjectSubType|Comment|NDims)\s*=", re.IGNORECASE)
_LPS = "left-posterior-superior"
# ITK counts to the patient's left and back, we to the right and front.
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_nrrd_or_meta(head: bytes) -> bool:
    """Whether a file's first bytes are those of one of these formats."""
    return head.startswith(NRRD) or _META.match(head) is not None


def data_file(path: Path) -> Path | None:
    """The file beside a header that holds its voxels; None for other files, or where it is not one."""
    # By the ending, for the other formats are told apart only once they are opened.
    if path.suffix.lower() not in (".nhdr", ".mhd", ".nrrd", ".mha"):
        return None
    try:
        return voxel_file(path)
    except DrifaError:  # which the reader tells
        return None


def read_nrrd_or_meta(path: Path, head: bytes, max_voxels: float) -> tuple[np.ndarray, np.ndarray]:
    """Voxels in the file's own order, and the way from them to millimetres in RAS.

    A file that names no space is taken to count to the patient's left, back and head, as ITK takes it.

    Args:
        path: The file, or the header of a pair.
        head: Its first bytes.
        max_voxels: Largest accepted number of voxels, judged from the header.

    Shape:
        float32 [X, Y] or [X, Y, Z]; float64 [4, 4].

    Raises:
        DrifaError: SimpleITK is not installed; or the file is damaged, cut short, too large, of more than three dimensions or
            several channels, in another space or unit, or has voxels that are not finite.
    """
    itk = _simple_itk(path)
    check_text(path)
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO" if head.startswith(NRRD) else "MetaImageIO")
    try:
        reader.ReadImageInformation()
        _check(reader, path, max_voxels)
        image = reader.Execute()
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = re.sub(r"^ITK ERROR: \w+\(0x\w+\): ", "", lines[-1] if lines else str(error))
        if "not supported" in reason:
            raise unsupported(path, f"is of a rare kind ({reason})", "save it as a volume of three axes", "volume") from None
        raise damaged(path, reason, "volume") from None
    found = itk.GetArrayViewFromImage(image).T
    if found.dtype.kind not in "iuf":
        raise DrifaError(f"volume {path} holds voxels of type {found.dtype}; save real numbers, such as int16 or float32")
    with np.errstate(over="ignore"):
        array = found.astype(np.float32)
    wrong = array.size - int(np.isfinite(array).sum())
    if wrong:
        raise DrifaError(
            f"volume {path} has {wrong} voxels that are not finite (NaN or inf); set them to the background, as with "
            f"numpy.nan_to_num, and save it again"
        )
    dimensions = image.GetDimension()
    affine = np.eye(4)
    affine[:dimensions, :dimensions] = np.reshape(image.GetDirection(), (dimensions, -1)) * image.GetSpacing()
    affine[:dimensions, 3] = image.GetOrigin()
    return array, invertible(_TO_RAS @ affine, path)


def _simple_itk(path: Path) -> ModuleType:
    try:
        import SimpleITK
    except ImportError:
        raise DrifaError(f"volume {path} is NRRD or MetaImage, which needs another package: {INSTALL}") from None
    SimpleITK.ProcessObject_SetGlobalWarningDisplay(False)
    return SimpleITK


def _check(reader: object, path: Path, max_voxels: float) -> None:
    sides = reader.GetSize()  # type: ignore[attr-defined]
    size = "x".join(str(side) for side in sides)
    if np.prod(sides, dtype=np.float64) > max_voxels:
        raise DrifaError(f"volume {path} has {size} voxels, more than {max_voxels:g}; crop it, or scale it down")
    if not 2 <= len(sides) <= 3:
        raise DrifaError(
            f"volume {path} has {len(sides)} dimensions ({size}); save the channel or time point you mean by itself"
        )
    channels = reader.GetNumberOfComponents()  # type: ignore[attr-defined]
    if channels > 1:
        raise DrifaError(f"volume {path} has {channels} channels; save the one you mean by itself")
    if reader.HasMetaDataKey("NRRD_space"):  # type: ignore[attr-defined]
        space = reader.GetMetaData("NRRD_space")  # type: ignore[attr-defined]
        if space != _LPS:  # SimpleITK turns the other two spaces of patients into this one
            raise DrifaError(f"volume {path} counts in the space {space!r}, no patient's; save it in {_LPS}")
