"""Subjects: the arrays that a study's table becomes before anything is sampled from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from drifa.data.study.schema import Modality, Task

NO_IMAGE = -1


@dataclass(frozen=True, eq=False)
class Subjects:
    """One entry per subject, sorted by id, so that the order of the table's rows never matters downstream.

    Args:
        ids: Subject ids.
        group: What a split must not cut, per subject.
        split: ``train``, ``val``, ``test``, ``unused`` or ``""``.
        image: Row of the study's table that holds the image of a modality; -1 where the subject has none.
        targets: For each task, the value of every subject, see :class:`drifa.data.targets.Target`; it means nothing where it is
            not known.
        known: Whether the value of a task is known: the subject has one, and any of the task's modalities.
        strata: What a split balances of each task; -1 for nothing.
        modalities: Names of the columns of ``image``.
        tasks: Names of the columns of ``known`` and ``strata``.

    Shape:
        ids, group, split, each of targets [S]; image int64 [S, m]; known bool, strata int64 [S, t].
    """

    ids: np.ndarray
    group: np.ndarray
    split: np.ndarray
    image: np.ndarray
    targets: Mapping[str, np.ndarray]
    known: np.ndarray
    strata: np.ndarray
    modalities: tuple[str, ...]
    tasks: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def present(self) -> np.ndarray:
        """Which modalities a subject has: bool [S, m]."""
        return self.image != NO_IMAGE

    @property
    def pattern(self) -> np.ndarray:
        """The set of modalities of each subject as a bit mask, bit i for column i: int64 [S]."""
        return self.present @ (1 << np.arange(len(self.modalities)))

    def known_of(self, task: str) -> np.ndarray:
        """Whose value of a task is known: bool [S]."""
        return np.asarray(self.known[:, self.tasks.index(task)])

    def in_split(self, name: str) -> np.ndarray:
        """Indices of the subjects of one split: int64 [n], ascending."""
        return np.flatnonzero(self.split == name)


def subject_codes(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The subject of every row of a table.

    Returns:
        ``(codes, ids)``: row r belongs to ``ids[codes[r]]``; ids are sorted and unique. Shapes [rows], [S].
    """
    codes, ids = pd.factorize(table["subject"], sort=True)
    return codes.astype(np.int64), np.asarray(ids, dtype=str)


def texts_of(column: pd.Series, codes: np.ndarray, count: int) -> np.ndarray:
    """The text of every subject in a column that some of its rows may leave empty: object [S].

    Args:
        column: Texts, one per row.
        codes: The subject of every row.
        count: Number of subjects.
    """
    text = column.to_numpy(dtype=object)
    found = np.full(count, "", dtype=object)
    found[codes[text != ""]] = text[text != ""]
    return found


def build_subjects(table: pd.DataFrame, modalities: Mapping[str, Modality], tasks: Mapping[str, Task]) -> Subjects:
    """Turns a checked table into arrays; see :class:`Subjects`."""
    codes, ids = subject_codes(table)
    order = tuple(modalities)
    image = np.full((len(ids), len(order)), NO_IMAGE, dtype=np.int64)
    image[codes, pd.Index(order).get_indexer(pd.Index(table["modality"]))] = np.arange(len(table))
    known = np.zeros((len(ids), len(tasks)), dtype=bool)
    strata = np.empty((len(ids), len(tasks)), dtype=np.int64)
    targets = {}
    for column, task in enumerate(tasks.values()):
        asked = (image[:, [order.index(name) for name in task.modalities]] != NO_IMAGE).any(axis=1)
        texts = np.where(asked, texts_of(table[task.name], codes, len(ids)), "")
        known[:, column] = texts != ""
        targets[task.name] = task.target.read(texts)
        strata[:, column] = task.target.strata(targets[task.name], known[:, column])
    return Subjects(
        ids=ids,
        group=_per_subject(table["group"], codes, len(ids)),
        split=_per_subject(table["split"], codes, len(ids)),
        image=image,
        targets=targets,
        known=known,
        strata=strata,
        modalities=order,
        tasks=tuple(tasks),
    )


def _per_subject(column: pd.Series, codes: np.ndarray, count: int) -> np.ndarray:
    # Rows of one subject agree (checked at load), so any of them will do.
    row = np.empty(count, dtype=np.int64)
    row[codes] = np.arange(len(codes))
    return np.asarray(column.to_numpy(dtype=object)[row], dtype=str)
