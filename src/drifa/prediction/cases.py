"""What is asked: one subject per case, from a table or from the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pandas as pd

from drifa.data.tabular import TabularEncoder
from drifa.errors import DrifaError, short, suggest
from drifa.names import find_file, ids_of, is_missing, plain
from drifa.prediction.given import Picture
from drifa.prediction.refusals import columns_of, nothing, pictures_of, unknown
from drifa.text_tables import read_table

T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """One subject to predict.

    Attributes:
        subject: Its name.
        images: Modality -> image file, or what is held in memory.
        values: Column -> value of the tabular modalities.
        rows: Modality -> row of the table that names its image, as a spreadsheet counts them; empty without a table.
        faults: Row of the table -> what is wrong with it, with the remedy.
    """

    subject: str
    images: Mapping[str, Picture]
    values: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """Why a case has no answer.

    Attributes:
        subject: Its name.
        row: Of the table; None without one, and where no single row is to blame.
        file: The image that is to blame, if it is one.
        reason: What is wrong, with the remedy, in one sentence.
    """

    subject: str
    row: int | None
    file: str | None
    reason: str

    def words(self) -> str:
        """As a person says it."""
        return self.reason if self.row is None else f"row {self.row}, subject {self.subject!r}: {self.reason}"


class Unanswerable(DrifaError):
    """A case that cannot be answered, while others may be."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.words())
        self.failure = failure


class Sieve:
    """Lets go of the cases that cannot be answered.

    Args:
        strict: The first of them ends it all.

    Attributes:
        failures: Why they cannot.
    """

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.failures: list[Failure] = []

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Keeps the failure of the case that is looked at inside."""
        try:
            yield
        except Unanswerable as error:
            if self.strict:
                raise
            self.failures.append(error.failure)


def check_cases(
    cases: Sequence[Case], modalities: Mapping[str, int], encoders: Mapping[str, TabularEncoder], strict: bool = True
) -> None:
    """Refuses what no network of a run can be asked.

    Args:
        cases: What is asked.
        modalities: Those of the run, name -> channels.
        encoders: Of its tabular modalities.
        strict: Also refuse all cases for one that cannot be answered, see :func:`check_case`.

    Raises:
        DrifaError: There is no case, a column is unknown, or, if strict, a case cannot be answered.
    """
    if not cases:
        raise DrifaError(f"there is no case to answer; give one with {' or '.join(modalities)}")
    check_values(cases, modalities, encoders)
    for case in cases if strict else ():
        check_case(case, modalities, encoders)


def check_case(case: Case, modalities: Mapping[str, int], encoders: Mapping[str, TabularEncoder]) -> None:
    """Refuses a case that no network of a run can be asked.

    Args:
        case: What is asked.
        modalities: Those of the run, name -> channels.
        encoders: Of its tabular modalities.

    Raises:
        Unanswerable: A row of it is faulty, a modality is unknown, a value is no number where one is needed, or it has
            nothing at all.
    """
    for row, fault in case.faults.items():
        raise Unanswerable(Failure(case.subject, row, None, fault))
    for name, path in case.images.items():
        if name not in pictures_of(modalities, encoders):
            reason = unknown(name, case.subject, modalities, encoders)
            raise Unanswerable(Failure(case.subject, case.rows.get(name), str(path), reason))
    first = next(iter(case.rows.values()), None)
    if not given(case, encoders):
        raise Unanswerable(Failure(case.subject, first, None, nothing(case.subject, modalities, encoders)))
    for encoder in encoders.values():
        try:
            encoder.encode(pd.DataFrame([{column.name: case.values.get(column.name, "") for column in encoder.columns}]))
        except DrifaError as error:
            raise Unanswerable(Failure(case.subject, first, None, str(error))) from None


def read_files(case: Case, read: Callable[[str, Picture], T]) -> dict[str, T]:
    """Modality -> what is read from its file.

    Args:
        case: What is asked.
        read: Of a modality and its file.

    Raises:
        Unanswerable: A file cannot be read.
    """
    found = {}
    for name, path in case.images.items():
        try:
            found[name] = read(name, path)
        except DrifaError as error:
            raise Unanswerable(Failure(case.subject, case.rows.get(name), str(path), str(error))) from None
    return found


def check_values(cases: Sequence[Case], modalities: Mapping[str, int], encoders: Mapping[str, TabularEncoder]) -> None:
    """Refuses values of columns that no tabular modality has."""
    columns = set(columns_of(encoders))
    for case in cases:
        for name in case.values:
            if name not in columns:
                raise DrifaError(unknown(name, case.subject, modalities, encoders))


def unseen(cases: Sequence[Case], encoders: Mapping[str, TabularEncoder]) -> str:
    """Says which values count as missing because training had none like them."""
    columns = [column for encoder in encoders.values() for column in encoder.columns]
    found = [
        f"{column.name}={value!r} of subject {case.subject!r} was never seen in training and counts as missing"
        f"{suggest(value, column.categories)}"
        for case in cases
        for column in columns
        if column.unseen(value := case.values.get(column.name, ""))
    ]
    return (found[0] + (f" [{len(found) - 1} more such values]" if len(found) > 1 else "")) if found else ""


def given(case: Case, encoders: Mapping[str, TabularEncoder]) -> set[str]:
    """The modalities of which a case has something."""
    told = {name for name, encoder in encoders.items() if any(case.values.get(column.name, "") for column in encoder.columns)}
    return {*case.images, *told}


def cases_from_table(path: str | Path) -> list[Case]:
    """Cases from a CSV or Parquet file with the columns subject, modality, path (relative paths count from the table's folder).

    Further columns are values for the tabular modalities; one of a subject's rows is enough, and its rows must agree.
    """
    path = Path(path)
    return cases_of(table_of_cases(path), path)


def table_of_cases(path: Path) -> pd.DataFrame:
    """Reads the table of :func:`cases_from_table`, CSV or Parquet, as text, and checks what can be seen in it alone.

    Args:
        path: The file; its first row is number 2 in either form.
    """
    table = _read_parquet(path) if path.suffix == ".parquet" else read_table(path)
    for column in ("subject", "modality", "path"):
        if column not in table:
            raise DrifaError(f"table {path} has no column {column!r}{suggest(column, table)}; it needs subject, modality, path")
    empty = table.index[[is_missing(text) for text in table["subject"]]]
    if len(empty):
        raise DrifaError(f"row {empty[0]} of table {path} has no subject; fill it, or remove the row")
    table["subject"], table["modality"] = ids_of(table["subject"]), table["modality"].map(plain)
    table["path"] = table["path"].where(table["path"].map(plain) != "", "")
    return table


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DrifaError(f"{path} cannot be read as Parquet ({short(error)}); correct the name, or write it again") from None
    table = table.astype(object).where(table.notna(), "").astype(str)
    table.index = pd.RangeIndex(2, len(table) + 2)
    return table


def cases_of(table: pd.DataFrame, path: Path) -> list[Case]:
    """The cases of some rows.

    Args:
        table: All rows of some subjects, from :func:`table_of_cases`.
        path: Where the table lies.
    """
    extra = [name for name in table.columns if name not in ("subject", "modality", "path")]  # for the tabular modalities
    return [_case(path, str(subject), rows, extra) for subject, rows in table.groupby("subject", sort=False)]


def _case(path: Path, subject: str, rows: pd.DataFrame, extra: Sequence[str]) -> Case:
    images: dict[str, Picture] = {}
    numbers: dict[str, int] = {}
    faults: dict[int, str] = {}
    for number, modality, file in zip(rows.index, rows["modality"], rows["path"], strict=True):
        if not modality or not file:
            faults[int(number)] = f"it has no {'path' if modality else 'modality'}; fill it, or remove the row"
        elif modality in images:
            faults[int(number)] = (
                f"table {path} has two images of modality {modality!r} for subject {subject!r}; "
                f"keep one, or give the other a subject of its own"
            )
        else:
            images[modality], numbers[modality] = find_file(path.parent / file), int(number)
    told = {name: [value for value in dict.fromkeys(rows[name]) if value != ""] for name in extra}
    for name, values in told.items():
        if len(values) > 1:
            row = int(rows.index[rows[name] == values[1]][0])
            faults[row] = (
                f"table {path} has {values[0]!r} and {values[1]!r} in the column {name!r} of subject {subject!r}; keep one"
            )
    return Case(subject, images, {name: values[0] if values else "" for name, values in told.items()}, numbers, faults)


def cases_from_arguments(images: Sequence[str], values: Sequence[str] = ()) -> list[Case]:
    """One case from ``MODALITY=PATH`` and ``COLUMN=VALUE`` texts."""
    found: dict[str, Path] = {}
    told: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise DrifaError(f"--value {text!r} must look like COLUMN=VALUE, for example age=45")
        if name in told:
            raise DrifaError(f"--value names column {name!r} twice; give --table for several subjects")
        told[name] = value
    for text in images:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise DrifaError(f"--image {text!r} must look like MODALITY=PATH, for example dermoscopy=photo.jpg")
        if name in found:
            raise DrifaError(f"--image names modality {name!r} twice; give --table for several subjects")
        found[name] = find_file(path)
    subject = _subject(*next(iter(found.items()))) if found else "case"
    return [Case(subject, found, told)] if found or told else []


def _subject(modality: str, path: Path) -> str:
    """A file's name without its ending, or, where that is the modality's name, its folder's."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    folder = path.absolute().parent.name
    return folder if stem.lower() == modality.lower() and folder else stem
