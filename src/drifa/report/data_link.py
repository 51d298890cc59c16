"""The numbers behind a figure, as a table to take along."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup


def data_link(name: str, rows: Sequence[Mapping[str, Any]]) -> Markup:
    """A link that holds the rows as CSV.

    Args:
        name: Of the file, without its ending.
        rows: All with the keys of the first; empty rows give an empty link.
    """
    if not rows:
        return Markup("")
    file = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return Markup('<a class="data" download="{n}.csv" href="data:text/csv;charset=utf-8,{d}">data (CSV)</a>').format(
        n=file, d=quote(csv_text(rows))
    )


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV under the keys of the first; there is at least one."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is marked as text; numbers keep six figures, NaN is empty."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t")) else value
    if isinstance(value, float):
        return "" if math.isnan(value) else float(f"{value:.6g}")
    return value
