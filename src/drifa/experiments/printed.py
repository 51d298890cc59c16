"""The numbers that the paper prints, as data: `paper/printed.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

#: Where the tables of the paper lie in the package.
FOLDER = files("drifa.experiments") / "paper"


@dataclass(frozen=True)
class Printed:
    """One cell of a table.

    Attributes:
        table: ``table1`` to ``table7``.
        dataset: ``D1`` to ``D5``.
        row: Of the table, such as ``M5`` or ``MFA+MIFA``.
        metric: By the name that this package has for it.
        text: The number as it stands there, percent.
        doubt: What a reader must know of it; empty for nothing.
    """

    table: str
    dataset: str
    row: str
    metric: str
    text: str
    doubt: str = ""

    @property
    def value(self) -> float:
        """Percent."""
        return float(self.text)

    @property
    def unit(self) -> float:
        """One in the last digit that is printed, points."""
        return float(10.0 ** -len(self.text.partition(".")[2]))


@cache
def printed() -> tuple[Printed, ...]:
    """All cells, in the order of the paper; whole numbers are taken as printed to one digit, as their neighbours are."""
    table = pd.read_csv(str(FOLDER / "printed.csv"), dtype=str, keep_default_na=False)
    found = []
    for table_name, dataset, row, metric, text, doubt in table.astype(str).to_numpy().tolist():
        found.append(Printed(table_name, dataset, row, metric, text if "." in text else f"{text}.0", doubt))
    return tuple(found)


def rows_of(cells: Sequence[Printed]) -> dict[tuple[str, str, str], dict[str, Printed]]:
    """``(table, dataset, row)`` -> metric -> cell."""
    found: dict[tuple[str, str, str], dict[str, Printed]] = {}
    for cell in cells:
        found.setdefault((cell.table, cell.dataset, cell.row), {})[cell.metric] = cell
    return found
