"""Tables as text files: reading what people and spreadsheets write, and writing what any reader reads back."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from drifa.errors import DrifaError, plural
from drifa.names import plain

#: Spreadsheets of many countries separate by semicolons.
SEPARATORS = ",;\t"
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")


def read_table(path: str | Path) -> pd.DataFrame:
    """Reads a CSV file (UTF-8, separated by commas, semicolons or tabs) in which every cell stays the text that it is.

    A label ``1``, an age ``045`` and the word ``NA`` are what the user wrote. Blank rows, and blank columns without a name, are
    left out: spreadsheets write them around a table as nothing but separators. The header is the
    first row that is not blank. Spaces around the names of columns go.

    Returns:
        The table; its index is the row number as a spreadsheet shows it: blank rows before the header count.

    Raises:
        DrifaError: No such file, no text in UTF-8, an empty file, a column without name or with that of another, or a row
            longer or shorter than the header.
    """
    path = Path(path)
    if not path.is_file():
        raise DrifaError(f"{path} is not a file; name a table in CSV")
    try:
        _check_kind(path)
        names, separator, blank, header = _scan(path)
        # pandas fills short rows and shifts long ones in silence, hence the scan; for the cells it is much faster.
        table = pd.read_csv(
            path,
            sep=separator,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            usecols=list(names),
            index_col=False,
            skiprows=header - 1,
            skip_blank_lines=False,  # so that its rows are those of the scan
        )
    except UnicodeDecodeError as error:
        raise DrifaError(f"{path} is not text in UTF-8 ({error.reason}); save it as 'CSV UTF-8'") from None
    except OSError as error:
        raise DrifaError(f"{path} cannot be read ({error.strerror}); correct its permissions") from None
    except (csv.Error, ValueError) as error:
        raise DrifaError(f"{path} cannot be read as a table: {' '.join(str(error).split())}; save it as CSV again") from None
    table.columns = pd.Index(list(names.values()))
    table.index = pd.RangeIndex(header + 1, len(table) + header + 1)
    return table.drop(index=blank).fillna("")


def _check_kind(path: Path) -> None:
    """Refuses what is no text by what it is: workbooks, packed files, UTF-16."""
    with open(path, "rb") as file:
        head = file.read(8)
    kinds = {
        b"PK\3\4": "a workbook or ZIP archive; save the sheet as 'CSV UTF-8', or unpack it",
        b"\xd0\xcf\x11\xe0": "an old workbook (.xls); save the sheet as 'CSV UTF-8'",
        b"\x1f\x8b": "packed by gzip; unpack it",
        b"PAR1": "a Parquet file; name it .parquet",
        b"\xff\xfe": "text in UTF-16; save it as 'CSV UTF-8'",
        b"\xfe\xff": "text in UTF-16; save it as 'CSV UTF-8'",
        b"<htm": "a web page; fetch the table itself",
        b"<!DO": "a web page; fetch the table itself",
    }
    for magic, what in kinds.items():
        if head.startswith(magic):
            raise DrifaError(f"{path} is no table in CSV but {what}")


def _scan(path: Path) -> tuple[dict[int, str], str, list[int], int]:
    """Names of the columns by place, their separator, the numbers of blank rows behind the header, and that of the header;
    refuses ragged rows."""
    blank = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = next((line for line in iter(file.readline, "") if plain(re.sub(f'[{SEPARATORS}"]', "", line))), "")
        if first.lower().startswith("sep="):
            raise DrifaError(f"{path} begins with {first.strip()!r}, which only Excel understands; remove that line")
        if not first:
            raise DrifaError(f"{path} is empty; its first line that is not blank should name the columns")
        separator = max(SEPARATORS, key=first.count)
        file.seek(0)
        reader = csv.reader(file, delimiter=separator, strict=True)
        rows = ((number, [plain(name) for name in row]) for number, row in enumerate(reader, start=1))
        start, header = next(found for found in rows if any(found[1]))
        names = {place: name for place, name in enumerate(header) if name}
        for name in names.values():
            if header.count(name) > 1:
                raise DrifaError(f"{path} has two columns {name!r}; rename or remove one")
        width, last = len(header), max(names) + 1
        nameless = [place for place, name in enumerate(header[:last]) if not name]
        for number, row in enumerate(reader, start=start + 1):
            if not any(map(plain, row)):
                blank.append(number)
                continue
            if len(row) < last or any(map(plain, row[width:])):
                raise DrifaError(
                    f"row {number} of {path} has {plural(len(row), 'cell')}, but the first line names {plural(last, 'column')}"
                    f"; correct the row: a text that contains {separator!r} stands in double quotes"
                )
            filled = [place for place in (*nameless, *range(last, min(width, len(row)))) if plain(row[place])]
            if filled:
                raise DrifaError(
                    f"column {filled[0] + 1} of {path} has no name but holds {row[filled[0]]!r} in row {number}; name it in "
                    f"the first line, or delete the column"
                )
    return names, separator, blank, start


def decimal_points(texts: Sequence[str]) -> list[str]:
    """A column of numbers with decimal commas, as spreadsheets of many countries write it, with points.

    Returns:
        The texts as they were where any of them has a point, or where all the commas may part thousands (``1,234``).
    """
    commas = [text for text in map(plain, texts) if _COMMA.fullmatch(text)]
    if all(map(_THOUSANDS.fullmatch, commas)) or any(re.fullmatch(r"[^.]*[0-9]\.[0-9][^.]*", plain(text)) for text in texts):
        return list(texts)
    return [plain(text).replace(",", ".") if _COMMA.fullmatch(plain(text)) else text for text in texts]


def table_text(table: pd.DataFrame) -> str:
    """A table as CSV that :func:`read_table` reads back."""
    text = table.to_csv(index=False, lineterminator="\n")
    # The writer does not quote a lone carriage return, which readers take for the end of a line.
    return text if "\r" not in text else table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_ALL)
