"""What the printed numbers cannot be: rules of arithmetic that every evaluation obeys, applied to the paper's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from drifa.experiments.printed import Printed, rows_of

#: Dataset -> classes.
CLASSES = {"D1": 7, "D2": 5, "D3": 4, "D4": 3}
#: Dataset -> sizes of its test set that the paper (a tenth) or its released code (cut, tiled, official) lead to, images.
TEST_SIZES = {
    "D1": (1001, 1002, 2003, 810),
    "D2": (405, 810, 2003),
    "D3": (702, 656, 655, 1311),
    "D4": (110, 165),
}
#: The network that the paper proposes.
OWN = "M5"


@dataclass(frozen=True)
class Finding:
    """Something that a table says and cannot be, or that a reader must know.

    Attributes:
        rule: ``accuracy_bound``, ``f1_bound``, ``granularity``, ``same_rows``, ``two_values``, ``not_best`` or ``made_of``.
        table, dataset: Where.
        rows: Of the table.
        says: In a sentence.
    """

    rule: str
    table: str
    dataset: str
    rows: tuple[str, ...]
    says: str


def accuracy_floor(recall: float, classes: int) -> float:
    """The least accuracy that a mean recall allows, percent.

    1 - accuracy is the mean of 1 - recall over the classes, weighted by their shares; each share is at most 1.
    """
    return 100 - classes * (100 - recall)


def f1_ceiling(precision: float, recall: float) -> float:
    """The largest mean of the classes' F1 that a mean precision and a mean recall allow, percent.

    F1 is a concave function of precision and recall, so that its mean is at most its value at their means (Jensen).
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def is_share(value: float, count: int, digits: int) -> bool:
    """Whether a percentage, rounded to so many digits, is the share of some whole number of ``count`` images."""
    near = value * count / 100
    return any(abs(100 * hits / count - value) <= 0.5 * 10.0**-digits + 1e-9 for hits in (floor(near), ceil(near)))


def examine(cells: Sequence[Printed]) -> list[Finding]:
    """All findings, by rule. Every printed number may be off by one in its last digit, rounded or cut off.

    Args:
        cells: From :func:`drifa.experiments.printed.printed`.
    """
    rows = rows_of(cells)
    return [
        *_accuracy_bounds(rows),
        *_f1_bounds(rows),
        *_granularity(rows),
        *_same_rows(rows),
        *_two_values(rows),
        *_not_best(rows),
        *_made_of(rows),
    ]


Rows = dict[tuple[str, str, str], dict[str, Printed]]


def _accuracy_bounds(rows: Rows) -> list[Finding]:
    found = []
    for (table, dataset, row), cells in rows.items():
        if dataset not in CLASSES or not {"accuracy", "recall", "precision"} <= cells.keys():
            continue
        accuracy, recall, precision = (cells[name] for name in ("accuracy", "recall", "precision"))
        least = accuracy_floor(recall.value - recall.unit, CLASSES[dataset])
        if accuracy.value + accuracy.unit >= least:
            continue
        exchanged = accuracy_floor(precision.value - precision.unit, CLASSES[dataset])
        ends = "nor if the two are exchanged" if accuracy.value + accuracy.unit < exchanged else "unless the two are exchanged"
        found.append(
            Finding(
                "accuracy_bound",
                *(table, dataset, (row,)),
                f"accuracy {accuracy.text} cannot be: a mean recall of {recall.text} over {CLASSES[dataset]} classes means at "
                f"least {accuracy_floor(recall.value, CLASSES[dataset]):.1f}, precision being {precision.text}, {ends}",
            )
        )
    return found


def _f1_bounds(rows: Rows) -> list[Finding]:
    found = []
    for (table, dataset, row), cells in rows.items():
        if not {"f1", "recall", "precision"} <= cells.keys():
            continue
        f1, recall, precision = (cells[name] for name in ("f1", "recall", "precision"))
        most = f1_ceiling(precision.value + precision.unit, recall.value + recall.unit)
        if f1.value - f1.unit > most:
            told = f1_ceiling(precision.value, recall.value)
            says = (
                f"F1 {f1.text} cannot be a mean over classes: with precision {precision.text} and recall {recall.text} it is "
                f"at most {told:.2f}"
            )
            found.append(Finding("f1_bound", table, dataset, (row,), says))
    return found


def _granularity(rows: Rows) -> list[Finding]:
    found = []
    for (table, dataset, row), cells in rows.items():
        cell = cells.get("accuracy")
        sizes = TEST_SIZES.get(dataset, ())
        if cell is None or any(is_share(cell.value, size, len(cell.text.partition(".")[2])) for size in sizes) or not sizes:
            continue
        told = ", ".join(map(str, sizes))
        says = f"accuracy {cell.text} is no share of a whole number of images, for test sets of {told}"
        found.append(Finding("granularity", table, dataset, (row,), says))
    return found


def _same_rows(rows: Rows) -> list[Finding]:
    """Weights that are not learned stay 1, and a module with them still acts: it is not the network without the module."""
    base, found = rows.get(("table4", "D1", "baseline"), {}), []
    for module in ("MFA", "MIFA"):
        own = rows.get(("table6", "D1", f"{module} 1"), {})
        shared = [metric for metric in own if metric in base]
        if shared and all(own[metric].value == base[metric].value for metric in shared):
            says = (
                f"equals the network without {module} of table 4 in {' and '.join(shared)}; if it stands for weights that are "
                f"not learned, it was not measured for itself, as such a module still acts"
            )
            found.append(Finding("same_rows", "table6", "D1", (f"{module} 1",), says))
    return found


#: Rows of two tables that are the same network on the same data.
_SAME = (
    ("baseline", "table4", "baseline", "table5"),
    ("MFA+MIFA", "table4", "all", "table5"),
    ("MFA+MIFA", "table4", OWN, "table1"),
    ("single pass", "table7", OWN, "table1"),
    ("MFA", "table4", "MFA 6", "table6"),
    ("MIFA", "table4", "MIFA 6", "table6"),
)


def _two_values(rows: Rows) -> list[Finding]:
    found = []
    for row, table, other, elsewhere in _SAME:
        for dataset in CLASSES:
            own, same = rows.get((table, dataset, row), {}), rows.get((elsewhere, dataset, other), {})
            for metric in own:
                if metric in same and own[metric].value != same[metric].value:
                    says = f"{metric} is {own[metric].text} here and {same[metric].text} for the same network in {elsewhere}"
                    found.append(Finding("two_values", table, dataset, (row,), says))
    return found


def _not_best(rows: Rows) -> list[Finding]:
    found = []
    for (table, dataset, row), cells in rows.items():
        own = rows.get((table, dataset, OWN))
        if table not in ("table1", "table2", "table3") or own is None or row == OWN:
            continue
        for metric, cell in cells.items():
            if cell.value > own[metric].value:
                says = (
                    f"{metric} {cell.text} is above the {own[metric].text} of {OWN}, which the text calls better in all metrics"
                )
                found.append(Finding("not_best", table, dataset, (row,), says))
    return found


def _made_of(rows: Rows) -> list[Finding]:
    """F1 of the means is not the mean of F1, and comes out alike in most rows."""
    found = []
    for table in ("table1", "table4", "table5", "table7"):
        own = {key: cells for key, cells in rows.items() if key[0] == table and {"f1", "precision", "recall"} <= cells.keys()}
        alike = [
            key
            for key, cells in own.items()
            if abs(cells["f1"].value - f1_ceiling(cells["precision"].value, cells["recall"].value)) <= cells["f1"].unit
        ]
        if 2 * len(alike) > len(own):
            says = (
                f"in {len(alike)} of {len(own)} rows F1 is that of the printed precision and recall, within 0.1: a mean of the "
                f"classes' F1 is below it as a rule"
            )
            found.append(Finding("made_of", table, "", (), says))
    return found
