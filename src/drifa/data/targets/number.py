"""A number for a whole subject: an age, a volume, a score."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from drifa.data.targets.base import Target, refuse_rows
from drifa.errors import DrifaError, plural
from drifa.names import plain
from drifa.text_tables import decimal_points

#: A split balances so many parts of the numbers, each with equally many subjects.
STRATA = 4
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
#: Why a text is no number -> its form; the first that fits is told.
_NOT_FINITE = "is not finite; leave the cell empty where the number is not known"
_FAULTS = {
    _NOT_FINITE: r"[+-]?(?:nan|inf|infinity)",
    "has a comma; write a decimal point, and no thousands separator": r"[+-]?[0-9.]*,[0-9.,]*(?:[eE][+-]?[0-9]+)?",
    "has more than the number in it; write the number alone, and its unit once, as 'unit' of the task": _NUMBER + r"\s*\D.*",
}
_NO_NUMBER = "is no number; correct it, leave the cell empty, or, if the column holds classes, declare them"


@dataclass(frozen=True)
class NumberTarget(Target):
    """A number for a whole subject; values are in its unit.

    Args:
        unit: Of the numbers, for people: ``years``, ``ml``; empty for a bare number.
    """

    kind: ClassVar[str] = "number"
    noun: ClassVar[str] = "number"
    keys: ClassVar[tuple[str, ...]] = ("unit",)

    unit: str = ""

    def check(self, task: str) -> None:
        """Refuses a unit of several lines."""
        if self.unit != self.unit.strip() or not (self.unit.isprintable()):
            raise DrifaError(f"task {task!r} has the unit {self.unit!r}; write it as one word or few, such as years")

    @classmethod
    def parse(cls, spec: Mapping[str, Any], place: str) -> Self:
        """Reads ``unit: years``."""
        unit = spec.get("unit", "")
        if not isinstance(unit, str):
            raise DrifaError(f"{place} has unit: {unit!r}; write it as one word, such as years")
        return cls(unit)

    def document(self) -> dict[str, Any]:
        """``kind: number``, and the unit where there is one."""
        return {"kind": self.kind} | ({"unit": self.unit} if self.unit else {})

    @classmethod
    def from_table(
        cls, task: str, spec: Mapping[str, Any], texts: Sequence[str], rows: Sequence[int], place: str
    ) -> tuple[Self, Sequence[str]]:
        """Numbers as they stand; spaces around them go, and the decimal commas of a whole column become points."""
        bare = decimal_points([plain(text) for text in texts])
        for text, row in zip(bare, rows, strict=True):
            fault = _fault(text)
            if fault:
                raise DrifaError(f"value {text!r} of task {task!r} in row {row} of {place} {fault}{_mixed(bare)}")
        return cls(spec.get("unit") or ""), bare

    def check_column(self, task: str, column: pd.Series, place: str) -> None:
        """Refuses what is not a finite number, and a column without any."""
        if (column == "").all():
            raise DrifaError(f"task {task!r} has no number in {place}; leave it out of the tasks, or add its numbers")
        bare = column.str.strip()
        good = bare.str.fullmatch(_NUMBER).to_numpy(dtype=bool, copy=True)
        # An exponent can say more than a number can hold.
        good[good] = np.isfinite(self.read(bare[good].to_numpy(dtype=object)))
        wrong = ~good & (column != "").to_numpy()
        if wrong.any():
            fault = _fault(str(bare[wrong].iloc[0])) or _NO_NUMBER
            refuse_rows(wrong, column, place, f"value {{value}} of task {task!r} in {{row}} {fault}{_mixed(column.tolist())}")

    def read(self, texts: np.ndarray) -> np.ndarray:
        """Numbers in the unit. float64 [S]"""
        return np.array([float(text) if text else np.nan for text in texts], dtype=np.float64)

    def strata(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Quarters of the known numbers, from low to high; equal numbers stay together."""
        found = np.full(len(values), -1, dtype=np.int64)
        if known.any():
            edges = np.quantile(values[known], np.arange(1, STRATA) / STRATA)
            found[known] = np.searchsorted(edges, values[known], side="left")
        return found

    def counted(self, values: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
        """Known numbers, under the one name ``number``."""
        return {"number": known}

    def told(self, texts: Sequence[str]) -> str:
        """How many, and from where to where."""
        values = self.read(np.array([text for text in texts if text], dtype=object))
        return f"{plural(len(values), 'number')} from {values.min():g} to {values.max():g} {self.unit}".rstrip()

    def check_training(self, task: str, study: str, split: str, values: np.ndarray, known: np.ndarray) -> None:
        """Training needs numbers that differ, validation needs one."""
        if not known.any():
            raise DrifaError(f"no subject of the {split} split of {study!r} has a number of task {task!r}; add some")
        if split == "train" and np.ptp(values[known]) == 0:
            raise DrifaError(
                f"task {task!r} has the one number {values[known][0]:g} in the training split of {study!r}: nothing to learn; "
                f"leave it out of the tasks"
            )

    def translated(self, theirs: Target, values: np.ndarray, task: str, study: str) -> np.ndarray:
        """Their numbers, which must be in the same unit."""
        self.refuse_other_kind(theirs, task, study)
        assert isinstance(theirs, NumberTarget)
        if theirs.unit != self.unit:
            raise DrifaError(
                f"task {task!r} has the unit {theirs.unit!r} in study {study!r} and {self.unit!r} in the run; convert its "
                f"numbers, or correct 'unit' in its study.yaml"
            )
        return values


def _fault(text: str) -> str:
    """What is wrong with a text; empty for a number, and for nothing."""
    if not text:
        return ""
    if re.fullmatch(_NUMBER, text):
        return "" if np.isfinite(float(text)) else _NOT_FINITE
    return next((fault for fault, form in _FAULTS.items() if re.fullmatch(form, text, flags=re.IGNORECASE)), _NO_NUMBER)


def _mixed(texts: Sequence[str]) -> str:
    """How much of a column is numbers, where some of it is not."""
    filled = [text for text in texts if text]
    good = sum(bool(text.strip()) and not _fault(text.strip()) for text in filled)
    return f" ({good} of {len(filled)} values are numbers)"
