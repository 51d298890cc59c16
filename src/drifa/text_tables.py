"""Tables as text files: reading what people and spreadsheets write, and writing what any reader reads back."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from drifa.errors import DrifaError

#: Spreadsheets of many countries separate by semicolons.
SEPARATORS = ",;\t"
#: What programs write for a missing value, in lower case.
BLANKS = ("nan", "na", "n/a", "null", "none", "<na>", "-", "?")


def read_table(path: str | Path) -> pd.DataFrame:
    """Reads a CSV file (UTF-8, separated by commas, semicolons or tabs) in which every cell stays the text that it is.

    A label ``1``, an age ``045`` and the word ``NA`` are what the user wrote. Blank lines are left out.

    Returns:
        The table; its index is the row number as a spreadsheet shows it: the header is row 1.

    Raises:
        DrifaError: No such file, no text in UTF-8, an empty file, a column without name or with that of another, or a row
            longer or shorter than the header.
    """
    path = Path(path)
    if not path.is_file():
        raise DrifaError(f"{path} is not a file; name a table in CSV")
    try:
        names, separator, numbers = _scan(path)
        # pandas fills short rows and shifts long ones in silence, hence the scan; for the cells it is much faster.
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", usecols=names, index_col=False
        )
    except UnicodeDecodeError as error:
        raise DrifaError(f"{path} is not text in UTF-8 ({error.reason}); save it as 'CSV UTF-8'") from None
    except OSError as error:
        raise DrifaError(f"{path} cannot be read ({error.strerror}); correct its permissions") from None
    except (csv.Error, ValueError) as error:
        raise DrifaError(f"{path} cannot be read as a table: {' '.join(str(error).split())}; save it as CSV again") from None
    table.index = pd.Index(numbers, dtype="int64")
    return table.fillna("")


def _scan(path: Path) -> tuple[list[str], str, list[int]]:
    """Names of the columns, their separator, and the number of every row that is not blank; refuses ragged rows."""
    numbers = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        if first.lower().startswith("sep="):
            raise DrifaError(f"{path} begins with {first.strip()!r}, which only Excel understands; remove that line")
        separator = max(SEPARATORS, key=first.count)
        file.seek(0)
        reader = csv.reader(file, delimiter=separator, strict=True)
        names = next(reader, [])
        # A separator at the end of every line is no column.
        width = len(names) - 1 if names and not names[-1] else len(names)
        if not width:
            raise DrifaError(f"{path} is empty, or its first line is; it should name the columns")
        for place, name in enumerate(names[:width], start=1):
            if not name:
                raise DrifaError(f"column {place} of {path} has no name; name it in the first line")
            if names.count(name) > 1:
                raise DrifaError(f"{path} has two columns {name!r}; rename or remove one")
        for number, row in enumerate(reader, start=2):
            if row:
                numbers.append(number)
            if row and (len(row) < width or any(row[width:])):
                raise DrifaError(
                    f"row {number} of {path} has {len(row)} cells, but the first line names {width} columns; correct the row: "
                    f"a text that contains {separator!r} stands in double quotes"
                )
    return names[:width], separator, numbers


def table_text(table: pd.DataFrame) -> str:
    """A table as CSV that :func:`read_table` reads back."""
    text = table.to_csv(index=False, lineterminator="\n")
    # The writer does not quote a lone carriage return, which readers take for the end of a line.
    return text if "\r" not in text else table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_ALL)
