"""Findings on numbers that stand for a missing value: to a network an age of 999 is an age."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from drifa.data.audit.findings import Finding, finding
from drifa.data.study.study import COLUMNS, Study
from drifa.data.targets import NumberTarget
from drifa.errors import plural
from drifa.names import is_missing, plain
from drifa.text_tables import decimal_points

#: By which programs of statistics and registries write a missing number; 9 and 0 are too often numbers.
CODES = (-9999.0, -999.0, -99.0, -9.0, -1.0, 99.0, 999.0, 9999.0)
# A code comes in so many groups, and beside so many with other numbers; -1 is often the lowest of few grades.
_TIMES, _OTHERS, _GRADES = 2, 5, 5
_REMEDY = (
    "if it says that the number is not known, leave the cell empty in the table that the study was made from and prepare it "
    "again, or in the study's own table if you wrote that"
)


def code_findings(study: Study) -> Iterator[Finding]:
    """Usual codes of a missing number that lie apart from all other numbers of their column, such as an age of 999.

    Looked through are tasks of the kind number, what tabular modalities are made of, and every further column in which all that
    is told is a number.
    """
    declared = {name for name, task in study.tasks.items() if not isinstance(task.target, NumberTarget)}
    group = study.table["group"].where(study.table["group"] != "", study.table["subject"])
    for column in study.table.columns:
        if column in (*COLUMNS, "official", *declared):
            continue
        numbers = _numbers(study.table[column])
        if numbers is None:
            continue
        counts = {}
        for code in _apart(numbers, group):
            counts[f"{code:g}"] = study.table.loc[numbers == code, "subject"].nunique()
        if counts:
            others = numbers[~numbers.isin(CODES)]
            listed = ", ".join(f"{code} for {plural(count, 'subject')}" for code, count in counts.items())
            text = f"column {column!r} holds {listed}, where all other numbers lie from {others.min():g} to {others.max():g}"
            rows = numbers.isin([float(code) for code in counts]) & (study.table["path"] != "")
            paths = [str(path) for path in study.table.loc[rows, "path"]]
            yield finding("warning", "missing_code", text, _REMEDY, paths, {"column": column, "counts": counts})


def _numbers(column: pd.Series) -> pd.Series | None:
    """The column as float64, NaN where nothing is told; None where something is told that is no number."""
    texts = column.astype(object).where(column.notna(), "").astype(str)
    texts = texts.map({text: "" if is_missing(text) else plain(text) for text in texts.unique()})
    numbers = pd.to_numeric(pd.Series(decimal_points(texts.tolist()), texts.index, dtype=object), errors="coerce")
    return numbers if np.isfinite(numbers[texts != ""]).all() else None


def _apart(numbers: pd.Series, group: pd.Series) -> list[float]:
    """The codes of a column that are none of its numbers, by the other numbers' range."""
    others = numbers[numbers.notna() & ~numbers.isin(CODES)]
    if group[others.index].nunique() < _OTHERS:
        return []
    low, high = others.min(), others.max()
    found = []
    for code in CODES:
        if group[numbers == code].nunique() < _TIMES:
            continue
        # The sign is distance enough where nothing else has it, but for grades from -1 on.
        signed = code < 0 <= low and (code != -1 or others.nunique() >= _GRADES)
        if signed or (code != -1 and max(low - code, code - high) >= max(high - low, 1)):
            found.append(code)
    return found
