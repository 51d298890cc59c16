"""Labels of tables that have a column for each class with 1 in one of them, as the truth files of ISIC do."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from drifa.errors import DrifaError
from drifa.names import plain

_MARKS = {"1": True, "true": True, "yes": True, "x": True, "0": False, "false": False, "no": False, "": False}


def one_hot_labels(table: pd.DataFrame, columns: Sequence[str], rows: Sequence[int], place: str) -> list[str]:
    """The column that is marked in every row; nothing where all of them are empty.

    Args:
        table: Texts; 1, 1.0, true, yes or x mark a column, 0, false, no or nothing do not.
        columns: Names of the classes' columns.
        rows: The row's number of each row of the table, as an editor counts.
        place: How errors call the table.

    Raises:
        DrifaError: A cell holds something else, or a row marks several columns, or none.
    """
    labels = []
    for cells, row in zip(table[list(columns)].itertuples(index=False, name=None), rows, strict=True):
        texts = [plain(cell) for cell in cells]
        marked = [name for name, text in zip(columns, texts, strict=True) if _marks(text, name, row, place)]
        if len(marked) > 1:
            raise DrifaError(f"row {row} of {place} marks both {marked[0]!r} and {marked[1]!r}; a subject has one class")
        if not marked and any(texts):
            raise DrifaError(f"row {row} of {place} marks none of {', '.join(columns)}; mark one, or empty all of its cells")
        labels.append(marked[0] if marked else "")
    return labels


def _marks(text: str, column: str, row: int, place: str) -> bool:
    whole, _, rest = text.casefold().partition(".")
    known = _MARKS.get(whole) if not rest.strip("0") else None
    if known is None:
        raise DrifaError(f"column {column!r} holds {text!r} in row {row} of {place}; a column of a class holds 0 and 1")
    return known
