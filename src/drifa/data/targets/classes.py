"""One class of several for a whole subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from drifa.data.splits.protocols import SMALL
from drifa.data.targets.base import Target, list_of_names, refuse_repeated, refuse_rows
from drifa.errors import DrifaError, suggest
from drifa.names import ids_of, is_missing, look

EXAMPLE = "NAME: {classes: [a, b], modalities: [m]}"


@dataclass(frozen=True)
class ClassTarget(Target):
    """One class of several for a whole subject; values are class indices.

    Args:
        classes: Label texts; their order is the order of the logits.
    """

    kind: ClassVar[str] = "classes"
    noun: ClassVar[str] = "label"
    keys: ClassVar[tuple[str, ...]] = ("classes",)

    classes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

    def check(self, task: str) -> None:
        """Refuses fewer than two classes, and one twice or without a name."""
        if len(self.classes) < 2:
            found = f"only the class {self.classes[0]!r}" if self.classes else "no class"
            raise DrifaError(f"task {task!r} has {found}; it needs at least two, so leave the task out, or correct its labels")
        refuse_repeated(task, "class", self.classes)

    @classmethod
    def parse(cls, spec: Mapping[str, Any], place: str) -> Self:
        """Reads ``classes: [a, b]``."""
        return cls(list_of_names(spec, "classes", place, EXAMPLE))

    def document(self) -> dict[str, Any]:
        """``classes: [a, b]``."""
        return {"classes": list(self.classes)}

    @classmethod
    def from_table(
        cls, task: str, spec: Mapping[str, Any], texts: Sequence[str], rows: Sequence[int], place: str
    ) -> tuple[Self, Sequence[str]]:
        """Classes are a list, or {value in the table: class}, or, left out, the labels found in sorted order."""
        listed = spec.get("classes")
        if listed is None:
            texts = ids_of(texts)
            found = sorted({text for text in texts if text})
            _refuse_lookalikes(task, found, place)
            listed = found
        renamed = dict(listed) if isinstance(listed, dict) else {name: name for name in listed}
        texts = _as_listed(texts, list(renamed))
        for text, row in zip(texts, rows, strict=True):
            if text and text not in renamed:
                raise DrifaError(
                    f"label {text!r} in row {row} of {place} is not listed for task {task!r}{suggest(text, renamed)}; list it "
                    f"under 'classes', or map it to \"\" to leave it without a label"
                )
        # A list is taken as it stands, so that a class listed twice is noticed; of a mapping, several values may mean one.
        classes = listed if isinstance(listed, list) else dict.fromkeys(label for label in renamed.values() if label)
        return cls(tuple(classes)), [renamed.get(text, "") for text in texts]

    def check_column(self, task: str, column: pd.Series, place: str) -> None:
        """Refuses a label that is no class, and a class without a label."""
        label = self._codes(column)
        message = f"label {{value}} in {{row}} is not a class of task {task!r}"
        refuse_rows((label < 0) & (column != "").to_numpy(), column, place, message, self.classes)
        count = np.bincount(label[label >= 0], minlength=len(self.classes))
        if (count == 0).any():
            name = self.classes[int(np.argmin(count))]
            raise DrifaError(
                f"class {name!r} of task {task!r} has no images in {place}; "
                f"leave it out of the classes of the task, or add its rows"
            )

    def spelled(self, column: pd.Series) -> pd.Series:
        """Labels as the classes are spelled."""
        return pd.Series(_as_listed(column.tolist(), self.classes), column.index, dtype=column.dtype)

    def read(self, texts: np.ndarray) -> np.ndarray:
        """Class indices. int64 [S]"""
        return self._codes(texts)

    def strata(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """The classes themselves."""
        return np.where(known, values, -1)

    def counted(self, values: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
        """Each class."""
        return {name: known & (values == number) for number, name in enumerate(self.classes)}

    def told(self, texts: Sequence[str]) -> str:
        """How often each class stands there."""
        counts = pd.Series(texts).value_counts()
        return ", ".join(f"{name} {int(counts.get(name, 0))}" for name in self.classes)

    def check_training(self, task: str, study: str, split: str, values: np.ndarray, known: np.ndarray) -> None:
        """A class that training never meets is not learned."""
        if split != "train":
            return
        for name, has in self.counted(values, known).items():
            if not has.any():
                raise DrifaError(f"class {name!r} of task {task!r} has no image in the training split of {study!r}; {SMALL}")

    def translated(self, theirs: Target, values: np.ndarray, task: str, study: str) -> np.ndarray:
        """Their classes by name; a class that they lack is no fault, one that the run does not know is."""
        self.refuse_other_kind(theirs, task, study)
        for name in theirs.names:
            if name not in self.classes:
                raise DrifaError(
                    f"class {name!r} of task {task!r} in study {study!r} is not one that the run was trained for"
                    f"{suggest(name, self.classes)}"
                )
        return np.array([self.classes.index(name) for name in theirs.names])[values]

    def _codes(self, texts: np.ndarray | pd.Series) -> np.ndarray:
        return pd.Index(self.classes).get_indexer(pd.Index(texts)).astype(np.int64)


def _as_listed(texts: Sequence[str], listed: Sequence[str]) -> list[str]:
    """Texts as the list spells them; one that is not on it in any spelling stays, but for spaces alone, which are nothing."""
    here = list(dict.fromkeys(texts))
    # In one call, so that both are spelled by the same rule.
    spelling = ids_of([*here, *listed])
    known = dict(zip(spelling[len(here) :], listed, strict=True)) | {name: name for name in listed}
    found = {text: known.get(text, known.get(bare, text if bare else "")) for text, bare in zip(here, spelling, strict=False)}
    return [found[text] for text in texts]


def _refuse_lookalikes(task: str, found: Sequence[str], place: str) -> None:
    """Refuses labels that only look like classes of their own; listed classes are taken as they are."""
    remedy = "correct the table, or list the classes of the task as {value: class}"
    for value in found:
        if is_missing(value):
            raise DrifaError(f'task {task!r} has the label {value!r} in {place}: a missing value? {remedy}; class "" is none')
    for before, after in pairwise(sorted(found, key=look)):
        if look(before) == look(after):
            raise DrifaError(f"task {task!r} has the labels {before!r} and {after!r} in {place}: one class? {remedy}")
