"""What the text of a NRRD or MetaImage header says, checked before SimpleITK acts on it: it would read any file of the disk.

References:
    The NRRD file format (teem.sourceforge.net/nrrd/format.html); MetaIO's tag list of MetaImage.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np

from drifa.data.reading.meta_header import CORRECT, check_axes, check_letters, check_matrix, check_voxels
from drifa.errors import DrifaError, short

#: First bytes of a NRRD file.
NRRD = b"NRRD000"
# A header is text; longer ones are no header.
_HEADER_BYTES = 2**16
_NRRD_END = re.compile(rb"(?:\r?\n|\r){2}")
# What names the voxels' file, wherever it stands: the two readers part lines in their own ways, so one place is allowed only.
_NRRD_FILE = re.compile(rb"(?:^|[\r\n])\s*data\s*file\s*:(?!=)", re.IGNORECASE)
_VECTOR = re.compile(r"\([^()]*[^(),\s][^()]*\)")
_META_FILE = re.compile(rb"ElementDataFile", re.IGNORECASE)
_MILLIMETRES = {"", "?", "mm", "millimeter", "millimeters", "millimetre", "millimetres"}
_PLACES = (
    *("space directions", "space origin", "Offset", "Origin", "Position", "TransformMatrix", "Rotation", "Orientation"),
    *("ElementSpacing", "ElementSize"),
)


def check_text(path: Path) -> None:
    """Refuses what the header says and SimpleITK passes over, or follows out of the header's folder.

    Raises:
        DrifaError: The voxels lie in several files, in one outside the folder or in one that is not there; the unit of length
            is no millimetre; values are scaled; or a number of the volume's place is none.
    """
    fields, named = _read(path)
    if named is not None:
        _check_file(path, *named)
    for field in ("space units", "units", "distanceunits"):
        value = fields.get(field, "")
        for unit in [value] if field == "distanceunits" else re.findall(r'"(.*?)"', value):
            if unit.strip().lower() not in _MILLIMETRES:
                raise DrifaError(f"volume {path} has the space unit {short(unit)}; save it again in millimetres")
    slope = fields.get("elementtointensityfunctionslope", "1"), fields.get("elementtointensityfunctionoffset", "0")
    if slope != ("1", "0"):
        raise DrifaError(
            f"volume {path} scales its values by the slope and offset {' and '.join(slope)}; save it again with scaled values"
        )
    _check_sides(path, fields)
    for field in _PLACES:
        for part in re.split(r"[\s,()]+", fields.get(field.lower(), "")):
            if part and part.lower() != "none" and not _finite(part):
                raise DrifaError(
                    f"volume {path} has {short(part)} in the field {field!r} of its header, which is no finite "
                    f"number; {CORRECT}"
                )
    _check_directions(path, fields)
    if "elementdatafile" in fields:
        check_matrix(path, fields)
        check_letters(path, fields)
        # Where the voxels follow the header, that is its last line.
        check_voxels(path, fields, path if named is None else path.parent / named[1], 0 if named else _length(path))


def _check_sides(path: Path, fields: dict[str, str]) -> None:
    """Refuses sides of voxels that SimpleITK takes for 1 mm, or for damage."""
    if "spacings" in fields and fields.get("dimension") in ("2", "3"):
        for part in fields["spacings"].split():
            if not _finite(part) or float(part) == 0:
                raise DrifaError(
                    f"volume {path} has {short(part)} in the field 'spacings' of its header, so that the size of its voxels is "
                    f"unknown; {CORRECT}"
                )


def _check_directions(path: Path, fields: dict[str, str]) -> None:
    """Refuses axes of no length, or in one plane."""
    text = fields.get("space directions", "")
    vectors = [vector for vector in _VECTOR.findall(text) if "none" not in vector.lower()]
    axes = [[float(part) for part in re.split(r"[\s,()]+", vector) if part] for vector in vectors]
    if axes and {len(axis) for axis in axes} == {len(axes)}:
        check_axes(path, np.array(axes), "space directions", text)


def voxel_file(path: Path) -> Path | None:
    """The file beside a header that holds its voxels; None where they follow the header, or it may not be read.

    Raises:
        DrifaError: No single line says where the voxels are.
    """
    _, named = _read(path)
    found = None if named is None else _inside(path, named[1])
    return found if found is not None and found.is_file() else None


def _check_file(path: Path, field: str, name: str) -> None:
    if re.match(r"LIST\b", name, re.IGNORECASE) or "%" in name:
        raise DrifaError(
            f"volume {path} has its voxels in several files ({field}: {short(name)}); save it again as one .nrrd or .mha file"
        )
    found = _inside(path, name)
    if found is None:
        raise DrifaError(
            f"volume {path} names the file {short(name)} as its voxels ({field}), which lies outside the header's own folder "
            f"and is not read; put the file itself beside the header, and name it without a folder"
        )
    if not found.is_file():
        raise DrifaError(
            f"volume {path} has its voxels in the file {short(name)} ({field}), which is not beside it; put the two into one "
            f"folder, or correct that field of the header"
        )


def _inside(path: Path, name: str) -> Path | None:
    """The file of a name, if it lies in the folder of the header, links followed."""
    parts = re.split(r"[/\\]", name)
    if "\0" in name or not parts[0] or ".." in parts or re.match(r"[A-Za-z]:", name):
        return None
    found = path.parent / name
    try:
        real = found.resolve()
        folders = {path.parent.resolve(), path.resolve().parent}
    except (OSError, RuntimeError):
        return None
    return found if any(real.is_relative_to(folder) for folder in folders) else None


def _read(path: Path) -> tuple[dict[str, str], tuple[str, str] | None]:
    """The fields by their names in lower case; and field and name of the voxels' file, where they lie in one of their own.

    Raises:
        DrifaError: No single line says where the voxels are.
    """
    with open(path, "rb") as file:
        head = file.read(_HEADER_BYTES)
    nrrd = head.startswith(NRRD)
    places = [match.start() for match in (_NRRD_FILE if nrrd else _META_FILE).finditer(head)]
    end = _NRRD_END.search(head) if nrrd else None
    # A header whose end is not seen may name a file behind what is read here.
    unseen = len(head) == _HEADER_BYTES and end is None if nrrd else not places
    if unseen or len(places) > 1:
        field = "data file" if nrrd else "ElementDataFile"
        raise DrifaError(
            f"volume {path} does not say in one place where its voxels are ({field}: {len(places)} times in its first "
            f"{len(head)} bytes); save it again as one .nrrd or .mha file"
        )
    text = head[: end.start()] if end else head
    if not nrrd:
        text = head[: head.find(b"\n", places[0]) + 1 or None]
    found = re.findall(rb"^[ \t]*([\w ]+?)[ \t]*(?:=|:(?!=))[ \t]*(.*?)[ \t\r]*$", text, re.MULTILINE)
    fields = {os.fsdecode(field).lower(): os.fsdecode(value) for field, value in found}
    if not places:
        return fields, None
    field = "ElementDataFile" if not nrrd else next((one for one in ("data file", "datafile") if one in fields), "data file")
    name = fields.get(field.lower(), "")
    if not name:
        raise DrifaError(f"volume {path} has no name in the line of its header {field!r}; correct it")
    return fields, None if not nrrd and name.lower() == "local" else (field, name)


def _length(path: Path) -> int:
    """The bytes of a MetaImage header that its voxels follow."""
    with open(path, "rb") as file:
        head = file.read(_HEADER_BYTES)
    field = _META_FILE.search(head)
    return head.index(b"\n", field.start()) + 1 if field and b"\n" in head[field.start() :] else len(head)


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
