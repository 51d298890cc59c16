"""Numbers of a DICOM header: read in full as they stand in the file, or refused by name; never by half.

References:
    DICOM PS3.5 6.2: value representations, of which DS and IS are numbers written as text.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from drifa.errors import DrifaError, short

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BINARY = ("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD")


def name_of(keyword: str) -> str:
    """An element as people name it: `(0028,1050) Window Center`."""
    tag = tag_for_keyword(keyword) or 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {dictionary_description(tag)}"


def number(dataset: Dataset, keyword: str, path: Path) -> float | None:
    """The first value of an element; None where it is absent or empty.

    Args:
        dataset: Where it stands.
        keyword: Its name in the standard.
        path: The file, for errors.

    Raises:
        DrifaError: Its text is no finite number, as with a comma or a unit, or only its first value is empty.
    """
    found = _numbers(dataset, keyword, path, 1)
    return found[0] if found else None


def numbers(dataset: Dataset, keyword: str, path: Path) -> list[float]:
    """All values of an element; none where it is absent or empty.

    Raises:
        DrifaError: As :func:`number`, for each of them.
    """
    return _numbers(dataset, keyword, path, None)


def count(dataset: Dataset, keyword: str) -> int:
    """How many values an element has, empty ones left out."""
    return sum(bool(part.strip(" \0")) for part in _text(dataset, keyword).split("\\"))


def single(dataset: Dataset, keyword: str, path: Path) -> float | None:
    """The value of an element that has one at most; None where it is absent or empty.

    Raises:
        DrifaError: As :func:`number`; or it has several values.
    """
    value = number(dataset, keyword, path)
    if count(dataset, keyword) > 1:
        raise DrifaError(
            f"image {path} has {short(_text(dataset, keyword))} as {name_of(keyword)}, which should be one number; "
            f"correct its header"
        )
    return value


def whole(dataset: Dataset, keyword: str, path: Path, default: int | None = None) -> int:
    """The value of an element that counts something.

    Raises:
        DrifaError: As :func:`single`; or it is absent without a default, or no whole number.
    """
    value = single(dataset, keyword, path)
    if value is None:
        if default is not None:
            return default
        raise DrifaError(
            f"image {path} lacks {name_of(keyword)}, without which its pixels have no meaning; add it to the header"
        )
    if not value.is_integer():
        raise DrifaError(
            f"image {path} has {value:g} as {name_of(keyword)}, which should be a whole number; correct its header"
        )
    return int(value)


def _numbers(dataset: Dataset, keyword: str, path: Path, most: int | None) -> list[float]:
    text = _text(dataset, keyword).strip(" \0")
    found = []
    for part in text.split("\\")[:most] if text else ():
        part = part.strip(" \0")
        if not _DECIMAL.fullmatch(part) or not np.isfinite(float(part)):
            shown = text if len(text) <= 40 else text[:40] + "…"
            raise DrifaError(f"image {path} has {shown!r} as {name_of(keyword)}, which is no finite number; correct its header")
        found.append(float(part))
    return found


def _text(dataset: Dataset, keyword: str) -> str:
    """An element's value as text, as it stands in the file: the library would repair some values by guessing."""
    if keyword not in dataset:
        return ""
    raw = dataset.get_item(keyword)
    if isinstance(raw, RawDataElement) and raw.VR not in (*_BINARY, None):
        return (raw.value or b"").decode("latin-1")
    try:
        value = dataset[keyword].value
    except Exception:
        value = raw.value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if value is None or isinstance(value, str):
        return value or ""
    return "\\".join(str(part) for part in value) if hasattr(value, "__iter__") else str(value)
