"""The contract of a target: what the column of one task holds, and what is known of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from drifa.errors import DrifaError, short, suggest

#: Longest name of a class or a region, characters.
LONGEST_NAME = 500
#: What a network looks at to answer a task: a whole subject, or each pixel of it.
Reads = Literal["subject", "pixels"]


@dataclass(frozen=True)
class Target(ABC):
    """The data's side of a kind of task: how it is declared, checked, read, balanced, counted and compared.

    Its other side, what a network makes of it, is a :class:`drifa.tasks.base.Kind`. Values are arrays with one entry per
    subject; whether an entry is known is told by a mask beside it, never by a value, and an entry that is not known means
    nothing.

    Attributes:
        kind: Name of the kind, the ``kind`` of `study.yaml`.
        reads: What is looked at to answer it. Where that is pixels, the column holds paths of mask files.
        noun: What one entry of the column is called in errors.
        keys: Keys of `study.yaml` that belong to the kind.
        conflicts: Whether two pictures that show the same must have the same value.
    """

    kind: ClassVar[str]
    noun: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    reads: ClassVar[Reads] = "subject"
    conflicts: ClassVar[bool] = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is told apart: classes, or regions; none for a number."""
        return ()

    @abstractmethod
    def check(self, task: str) -> None:
        """Refuses a declaration that cannot be used."""

    @classmethod
    @abstractmethod
    def parse(cls, spec: Mapping[str, Any], place: str) -> Self:
        """Reads the declaration of a `study.yaml`, where every value is text, a list or a mapping.

        Args:
            spec: The task's entry, with no keys but those of ``keys``.
            place: How errors call it.
        """

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """Writes what :meth:`parse` reads."""

    @classmethod
    @abstractmethod
    def from_table(
        cls, task: str, spec: Mapping[str, Any], texts: Sequence[str], rows: Sequence[int], place: str
    ) -> tuple[Self, Sequence[str]]:
        """Makes the target of a table of one's own.

        Args:
            task: Name of the task.
            spec: What the mapping declares, by ``keys``; None for what it leaves out.
            texts: The column.
            rows: The table's row of each text, as an editor counts.
            place: How errors call the table.

        Returns:
            The target, and the column as a study writes it.
        """

    @abstractmethod
    def check_column(self, task: str, column: pd.Series, place: str) -> None:
        """Refuses a column of texts (empty = not known) with an entry that the target does not allow."""

    def spelled(self, column: pd.Series) -> pd.Series:
        """A column of texts as the target spells them."""
        return column

    @abstractmethod
    def read(self, texts: np.ndarray) -> np.ndarray:
        """The values of checked texts; anything where a text is empty. object [S] -> [S]."""

    def strata(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """What a split balances, as whole numbers from 0; -1 where nothing is. int64 [S]."""
        return np.full(len(values), -1, dtype=np.int64)

    @abstractmethod
    def counted(self, values: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
        """What a split's receipt counts: name -> the subjects that have it. bool [S]."""

    @abstractmethod
    def told(self, texts: Sequence[str]) -> str:
        """A column in one line, for people."""

    @abstractmethod
    def check_training(self, task: str, study: str, split: str, values: np.ndarray, known: np.ndarray) -> None:
        """Refuses a training or validation split that does not hold what a network needs of the task.

        Args:
            task: Name of the task.
            study: Name of the study.
            split: ``train`` or ``val``.
            values: Those of the split.
            known: Which of them are known.
        """

    @abstractmethod
    def translated(self, theirs: Target, values: np.ndarray, task: str, study: str) -> np.ndarray:
        """The values of another study's target of the same name as values of this one.

        Args:
            theirs: The other study's.
            values: Its values.
            task: Name of the task in both.
            study: Name of the other study, for errors.

        Raises:
            DrifaError: The two do not mean the same.
        """

    def refuse_other_kind(self, theirs: Target, task: str, study: str) -> None:
        """Refuses to judge answers of one kind by truth of another."""
        if theirs.kind != self.kind:
            raise DrifaError(
                f"task {task!r} is of the kind {theirs.kind} in study {study!r} and of the kind {self.kind} in the run; rename "
                f"one of them"
            )


def refuse_rows(
    wrong: np.ndarray | pd.Series, column: pd.Series, place: str, message: str, choices: Sequence[str] | None = None
) -> None:
    """Raises for the first row marked, if there is any.

    Args:
        wrong: Marks. bool [rows]
        column: Texts, in the order of the table, whose header is row 1.
        place: How errors call the table.
        message: Of the error; ``{value}`` and ``{row}`` in it are filled in.
        choices: Near ones among these are proposed.
    """
    rows = np.flatnonzero(np.asarray(wrong))
    if len(rows):
        more = f" [{len(rows) - 1} more such rows]" if len(rows) > 1 else ""
        value = str(column.iloc[rows[0]])
        near = suggest(value, choices) if choices is not None else ""
        text = (message + near).replace("{value}", repr(value)).replace("{row}", f"row {rows[0] + 2} of {place}")
        raise DrifaError(text + more)


def refuse_paths(column: pd.Series, what: str, place: str) -> None:
    """Refuses paths that cannot be, or that leave the study's root."""
    message = f"{what} {{value}} in {{row}} holds a sign that no file name has; correct it"
    refuse_rows(column.str.contains("[\0\r\n]", regex=True), column, place, message)
    outside = column.str.contains(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)", regex=True)
    remedy = "write paths relative to 'root' in study.yaml, without '..', or move 'root' up"
    refuse_rows(outside, column, place, f"{what} {{value}} in {{row}} leaves the study's root; {remedy}")


def refuse_repeated(task: str, noun: str, names: Sequence[str]) -> None:
    """Refuses a list of names with one twice, or an empty one."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DrifaError(f"task {task!r} lists the {noun} {twice[0]!r} twice; list it once")
    for name in names:
        if not name.isprintable() or len(name) > LONGEST_NAME:
            raise DrifaError(
                f"task {task!r} lists the {noun} {short(name)}; name it on one line, in up to {LONGEST_NAME} characters"
            )
    if "" in names:
        raise DrifaError(f"task {task!r} lists an empty {noun}; an empty text means 'no label', so name it")


def named(value: Any, place: str, key: str, example: str) -> dict[str, Any]:
    """The value of a key of `study.yaml` that holds one line per name."""
    if value in ("", None):
        return {}
    if not isinstance(value, dict):
        raise DrifaError(f"key {key!r} of {place} holds {value!r}; write one '{example}' line for each")
    return value


def list_of_names(spec: Mapping[str, Any], key: str, place: str, example: str) -> tuple[str, ...]:
    """The value of a key of `study.yaml` that holds a list of names."""
    entries = spec.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise DrifaError(f"{place} needs {key} as a list of names, as in '{example}'")
    return tuple(entries)
