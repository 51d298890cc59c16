"""What is odd about a case before any network has looked at it: values out of reach, one file twice, two patients."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from drifa.data.reading.files import is_dicom, read_head
from drifa.data.tabular import TabularEncoder
from drifa.errors import DrifaError
from drifa.files import digest
from drifa.prediction.cases import Case
from drifa.tasks.base import CaseWarning


def implausible(case: Case, encoders: Mapping[str, TabularEncoder]) -> tuple[CaseWarning, ...]:
    """What should be looked at in a case that can be answered.

    Numbers are told that lie farther outside the training values than half of their range; images that are the same file for
    two modalities; and DICOM files whose headers name different patients (NIfTI names none). No name is told.

    Args:
        case: Its files can be read, and its values be encoded.
        encoders: Of the tabular modalities.
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
    files = {name: path for name, path in case.images.items() if isinstance(path, Path) and path.is_file()}
    patients = {name: _patient(path) for name, path in files.items()} if len(files) > 1 else {}
    for one, other in combinations(files, 2):
        if _same(files[one], files[other]):
            found.append(CaseWarning(other, f"the image is the same file as that of {one}"))
        elif patients[one] and patients[other] and patients[one] != patients[other]:
            found.append(CaseWarning(other, f"the header names another patient than that of {one}"))
    return tuple(found)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and digest(one) == digest(other)


def _patient(path: Path) -> str:
    """Who a DICOM file is of; empty for any other file and where it does not say."""
    if not is_dicom(read_head(path, "image")):
        return ""
    from drifa.data.reading.dicom import read_header

    try:
        return str(read_header(path).get("PatientID") or "").strip()
    except DrifaError:
        return ""
