"""What is odd about a case before any network has looked at it: values out of reach, one image twice, two patients."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pydicom

from drifa.data.reading.files import is_dicom, read_head
from drifa.data.reading.images import with_channels
from drifa.data.tabular import TabularEncoder
from drifa.errors import DrifaError
from drifa.files import digest
from drifa.prediction.cases import Case
from drifa.prediction.given import Held, Picture
from drifa.tasks.base import CaseWarning


def implausible(
    case: Case, encoders: Mapping[str, TabularEncoder], decoded: Mapping[str, np.ndarray] | None = None
) -> tuple[CaseWarning, ...]:
    """What should be looked at in a case that can be answered.

    Numbers are told that lie farther outside the training values than half of their range; the same image for two modalities,
    whatever it is held in; and DICOM headers of files, datasets and series that name different patients (NIfTI names none). No
    name is told.

    Args:
        case: Its files can be read, and its values be encoded.
        encoders: Of the tabular modalities.
        decoded: Modality -> its pixels, uint8 ``[H, W, C]``; without them only files of the same bytes are the same image.
    """
    found = [
        CaseWarning(
            name,
            f"column {column.name!r} is {case.values[column.name]}, and training had {column.low:g} to {column.high:g}",
        )
        for name, encoder in encoders.items()
        for column in encoder.columns
        if column.implausible(case.values.get(column.name, ""))
    ]
    if len(case.images) < 2:
        return tuple(found)
    patients = {name: _patient(given) for name, given in case.images.items()}
    prints = {name: _fingerprint(image) for name, image in (decoded or {}).items()}
    for one, other in combinations(case.images, 2):
        if _same(case.images[one], case.images[other]):
            found.append(CaseWarning(other, f"the image is the same file as that of {one}"))
        elif one in prints and prints[one] == prints.get(other):
            found.append(CaseWarning(other, f"the image is the same as that of {one}, pixel by pixel"))
        elif patients[one] and patients[other] and patients[one] != patients[other]:
            found.append(CaseWarning(other, f"the header names another patient than that of {one}"))
    return tuple(found)


def _fingerprint(image: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    """Size and digest of the pixels in grey: modalities may differ in their channels."""
    grey = np.ascontiguousarray(with_channels(image[:, :, 0] if image.shape[2] == 1 else image, 1))
    return grey.shape, hashlib.sha256(grey.tobytes()).digest()


def _same(one: Picture, other: Picture) -> bool:
    if isinstance(one, Held) or isinstance(other, Held):
        return isinstance(one, Held) and isinstance(other, Held) and one.value is other.value
    if one.is_file() and other.is_file():
        return one.stat().st_size == other.stat().st_size and digest(one) == digest(other)
    return one.resolve() == other.resolve()


def _patient(given: Picture) -> str:
    """Who a DICOM file, dataset or series is of; empty for anything else and where it does not say."""
    if isinstance(given, Held):
        return _id_in(given.value) if isinstance(given.value, pydicom.Dataset) else ""
    files = sorted(path for path in given.iterdir() if path.is_file()) if given.is_dir() else [given]
    path = next((path for path in files if is_dicom(read_head(path, "image"))), None)
    if path is None:
        return ""
    from drifa.data.reading.dicom import read_header

    try:
        return _id_in(read_header(path))
    except DrifaError:
        return ""


def _id_in(header: pydicom.Dataset) -> str:
    return str(header.get("PatientID") or "").strip()
