"""Subjects: the arrays that a study's table becomes before anything is sampled from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from drifa.data.study.schema import Modality, Task

NO_IMAGE = -1
NO_LABEL = -1


@dataclass(frozen=True, eq=False)
class Subjects:
    """One entry per subject, sorted by id, so that the order of the table's rows never matters downstream.

    Args:
        ids: Subject ids.
        group: What a split must not cut, per subject.
        split: ``train``, ``val``, ``test``, ``unused`` or ``""``.
        image: Row of the study's table that holds the image of a modality; -1 where the subject has none.
        labels: Class index per task; -1 where unlabelled, or where none of the task's modalities is present, and
            everywhere in the column of a segmentation task.
        modalities: Names of the columns of ``image``.
        tasks: Names of the columns of ``labels``.
        masks: For each segmentation task, the mask file of every subject below the study's root; empty where it has none.

    Shape:
        ids, group, split, each of masks [S]; image int64 [S, m]; labels int64 [S, t].
    """

    ids: np.ndarray
    group: np.ndarray
    split: np.ndarray
    image: np.ndarray
    labels: np.ndarray
    modalities: tuple[str, ...]
    tasks: tuple[str, ...]
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)

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


def class_codes(column: pd.Series, classes: tuple[str, ...]) -> np.ndarray:
    """Class index of every label text; -1 for any other text, the empty one included."""
    return pd.Index(classes).get_indexer(pd.Index(column)).astype(np.int64)


def build_subjects(table: pd.DataFrame, modalities: Mapping[str, Modality], tasks: Mapping[str, Task]) -> Subjects:
    """Turns a checked table into arrays; see :class:`Subjects`."""
    codes, ids = subject_codes(table)
    order = tuple(modalities)
    image = np.full((len(ids), len(order)), NO_IMAGE, dtype=np.int64)
    image[codes, class_codes(table["modality"], order)] = np.arange(len(table))
    labels = np.full((len(ids), len(tasks)), NO_LABEL, dtype=np.int64)
    masks = {}
    for column, task in enumerate(tasks.values()):
        asked = (image[:, [order.index(name) for name in task.modalities]] != NO_IMAGE).any(axis=1)
        if task.kind == "segmentation":
            text = table[task.name].to_numpy(dtype=object)
            mask = np.full(len(ids), "", dtype=object)
            mask[codes[text != ""]] = text[text != ""]
            masks[task.name] = np.where(asked, mask, "").astype(str)
            continue
        label = class_codes(table[task.name], task.classes)
        labelled = label != NO_LABEL
        labels[codes[labelled], column] = label[labelled]
        labels[~asked, column] = NO_LABEL
    return Subjects(
        ids=ids,
        group=_per_subject(table["group"], codes, len(ids)),
        split=_per_subject(table["split"], codes, len(ids)),
        image=image,
        labels=labels,
        modalities=order,
        tasks=tuple(tasks),
        masks=masks,
    )


def _per_subject(column: pd.Series, codes: np.ndarray, count: int) -> np.ndarray:
    # Rows of one subject agree (checked at load), so any of them will do.
    row = np.empty(count, dtype=np.int64)
    row[codes] = np.arange(len(codes))
    return np.asarray(column.to_numpy(dtype=object)[row], dtype=str)
