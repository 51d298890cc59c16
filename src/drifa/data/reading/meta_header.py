"""What the header of a MetaImage says and SimpleITK passes over: an orientation in letters, and voxels that are not all there.

References:
    MetaIO's tag list of MetaImage (itk.org/Wiki/MetaIO/Documentation).
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from drifa.data.reading.files import damaged
from drifa.errors import DrifaError, short

_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}
# The letters of a direction along each axis of ITK, and of the one against it.
_ALONG, _AGAINST = "LPS", "RAI"
_TURNED = str.maketrans("LPSRAI", "RAILPS")


#: What helps against a number of the header that cannot be.
CORRECT = "correct the field, or convert the volume from DICOM again"


def check_axes(path: Path, axes: np.ndarray, field: str, told: str) -> None:
    """Refuses axes of no length, or in one plane, which SimpleITK takes for damage.

    Args:
        path: The file, for errors.
        axes: float ``[n, n]``, one axis in each row.
        field: Where they stand in the header.
        told: As they stand there.
    """
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(axes, axis=1)
    fault = ""
    if not lengths.all():
        number = int((lengths == 0).argmax()) + 1
        fault = f"whose axis {number} has no length, so that its orientation and the size of its voxels are unknown"
    elif np.isfinite(lengths).all() and np.linalg.matrix_rank(axes / lengths[:, None]) < len(axes):
        fault = "which are axes of one plane or line, so that its orientation is unknown"
    if fault:
        raise DrifaError(f"volume {path} has {short(told)} in the field {field!r} of its header, {fault}; {CORRECT}")


def check_matrix(path: Path, fields: Mapping[str, str]) -> None:
    """Refuses a matrix that SimpleITK takes for damage, and a size of voxels that it takes for damage or for its opposite.

    Args:
        path: The file, for errors.
        fields: Of its header, by names in lower case; numbers are numbers.
    """
    for name in ("ElementSpacing", "ElementSize"):
        told = fields.get(name.lower(), "")
        if min((float(part) for part in told.split()), default=1) <= 0:
            raise DrifaError(
                f"volume {path} has {short(told)} in the field {name!r} of its header, where every side of a voxel is above 0; "
                f"{CORRECT}"
            )
    for name in ("TransformMatrix", "Rotation", "Orientation"):
        told = fields.get(name.lower(), "")
        numbers = np.array([float(part) for part in told.split()])
        if numbers.size in (4, 9):
            check_axes(path, numbers.reshape(2 if numbers.size == 4 else 3, -1), name, told)


def check_letters(path: Path, fields: Mapping[str, str]) -> None:
    """Refuses an orientation in letters that its matrix contradicts; programs differ in whether letters say from or to.

    Args:
        path: The file, for errors.
        fields: Of its header, by names in lower case; numbers are numbers.

    Raises:
        DrifaError: As above.
    """
    letters = fields.get("anatomicalorientation", "").upper()
    matrix = next((fields[key] for key in ("transformmatrix", "rotation", "orientation") if key in fields), "1 0 0 0 1 0 0 0 1")
    axes = np.array([float(part) for part in matrix.split()])
    if not re.fullmatch("[LPSRAI]{3}", letters) or axes.size != 9:
        return
    towards = ""
    for axis in axes.reshape(3, 3):
        place = int(np.abs(axis).argmax())
        towards += (_ALONG if axis[place] > 0 else _AGAINST)[place]
    if letters not in (towards, towards.translate(_TURNED)):
        raise DrifaError(
            f"volume {path} has {letters} as AnatomicalOrientation, but its TransformMatrix runs "
            f"{towards.translate(_TURNED)}; correct the one that is wrong, or convert the volume from DICOM again"
        )


def check_voxels(path: Path, fields: Mapping[str, str], voxels: Path, start: int) -> None:
    """Refuses voxels that are not all there: SimpleITK takes what memory holds for those it cannot unpack.

    Args:
        path: The header, for errors.
        fields: Of the header, by names in lower case.
        voxels: The file that holds them.
        start: Its first byte of them.

    Raises:
        DrifaError: Fewer bytes than the header announces, packed ones that do not say how many, or numbers written as text.
    """
    if not _true(fields, "binarydata", True):
        raise DrifaError(f"volume {path} has its voxels as text (BinaryData = False); save it again with BinaryData = True")
    kind = re.sub(r"^MET_U?|_ARRAY$", "", fields.get("elementtype", "").upper())
    try:
        sides = [int(side) for side in fields["dimsize"].split()]
        needed = int(np.prod(sides, dtype=object)) * _BYTES[kind] * int(fields.get("elementnumberofchannels", "1"))
        skipped = int(fields.get("headersize", "0"))
    except (KeyError, ValueError):
        return  # which the reader tells
    packed = _true(fields, "compresseddata", False)
    if packed and start and "compresseddatasize" not in fields:
        raise DrifaError(
            f"volume {path} has packed voxels and does not say how many bytes they take; save it again, with CompressedDataSize"
        )
    found = os.path.getsize(voxels) - (start or max(0, skipped))
    with open(voxels, "rb") as file:
        file.seek(start or max(0, skipped))
        if packed:
            found = _unpacked(file.read(), needed)
    if found < needed:
        raise damaged(path, f"{needed} bytes of voxels announced, {found} found", "volume")


def _unpacked(content: bytes, most: int) -> int:
    """How many bytes a zlib or gzip stream gives, counted up to ``most``."""
    stream, found = zlib.decompressobj(47), 0
    try:
        while content and found < most and not stream.eof:
            found += len(stream.decompress(content, 2**22))
            content = stream.unconsumed_tail
    except zlib.error:
        pass
    return found


def _true(fields: Mapping[str, str], field: str, default: bool) -> bool:
    return fields[field][:1] in ("T", "t", "1") if fields.get(field) else default
