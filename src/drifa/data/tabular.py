"""Columns of a study's table as one more modality: age, sex, site, laboratory values.

The encoding is learned from the training split alone and kept with the run, so that a later patient is encoded as the training
patients were. It has the form that the fusion takes as it is, a map of one pixel: [n, F, 1, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from drifa.data.study.schema import Modality
from drifa.data.study.study import Study
from drifa.errors import DrifaError, suggest
from drifa.names import is_missing, plain
from drifa.text_tables import decimal_points

KINDS = ("number", "category")
#: More values than this in a text column look like names or free text, which a one-hot code only memorises.
MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Column:
    """How one column is encoded.

    Attributes:
        name: Of the column.
        kind: ``number`` (standardised; 2 features) or ``category`` (one-hot; as many features as categories, and one more).
        mean, std: Of the training values; ``number`` only.
        low, high: Least and largest training value; ``number`` only, None where that was not kept.
        categories: Values seen in training, sorted; ``category`` only.
    """

    name: str
    kind: str
    mean: float = 0.0
    std: float = 1.0
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def width(self) -> int:
        """Number of features; the last one says that the value is missing, or was never seen in training."""
        return 2 if self.kind == "number" else len(self.categories) + 1

    def unseen(self, value: str) -> bool:
        """Whether a value is a category that training had not, and so counts as missing."""
        return self.kind == "category" and value.strip() not in ("", *self.categories)

    def implausible(self, value: str) -> bool:
        """Whether a value is a number farther outside the training values than half of their range."""
        if self.low is None or self.high is None:
            return False
        number, reach = _numbers(_as_text(pd.Series([value])), self.name)[0], (self.high - self.low) / 2
        return bool(number < self.low - reach or number > self.high + reach)

    def encode(self, values: pd.Series) -> np.ndarray:
        """float32 ``[n, width]``; a missing value is 0 in all features but the last."""
        text = _as_text(values)
        code = np.zeros((len(text), self.width), dtype=np.float32)
        if self.kind == "number":
            number = _numbers(text, self.name)
            known = np.isfinite(number)
            code[known, 0] = (number[known] - self.mean) / self.std
        else:
            place = pd.Index(self.categories).get_indexer(pd.Index(text))
            known = place >= 0
            code[known, place[known]] = 1
        code[~known, -1] = 1
        return code


@dataclass(frozen=True)
class TabularEncoder:
    """Encodes the rows of a table; built by :meth:`fit`.

    Attributes:
        columns: In the order of the features.
    """

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, table: pd.DataFrame, columns: Sequence[str]) -> TabularEncoder:
        """Learns the encoding from the rows of the training split.

        A column is a number if every value that is there can be read as one, words such as ``NA`` aside, else a category.

        Args:
            table: Training rows only.
            columns: Names of its columns.

        Raises:
            DrifaError: A column is unknown, named twice, empty, or holds more than 100 different texts.
        """
        found = []
        for name in columns:
            if name not in table.columns:
                raise DrifaError(f"the study has no column {name!r}{suggest(name, table.columns)}")
            if list(columns).count(name) > 1:
                raise DrifaError(f"column {name!r} is listed twice; list it once")
            found.append(_fit_column(name, _as_text(table[name])))
        if not found:
            raise DrifaError("a tabular modality needs at least one column")
        return cls(tuple(found))

    @property
    def width(self) -> int:
        """F, the number of features."""
        return sum(column.width for column in self.columns)

    @property
    def features(self) -> list[str]:
        """A name per feature."""
        names = []
        for column in self.columns:
            own = [column.name] if column.kind == "number" else [f"{column.name}={value}" for value in column.categories]
            names += [*own, f"{column.name} missing"]
        return names

    def encode(self, table: pd.DataFrame) -> torch.Tensor:
        """Encodes rows: float32 ``[n, F, 1, 1]``.

        Raises:
            DrifaError: A column is missing, or a number cannot be read as one.
        """
        for column in self.columns:
            if column.name not in table.columns:
                raise DrifaError(
                    f"column {column.name!r} is missing{suggest(column.name, table.columns)}; leave it empty instead"
                )
        code = np.concatenate([column.encode(table[column.name]) for column in self.columns], axis=1)
        return torch.from_numpy(code)[:, :, None, None]

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data, one entry per column."""
        return [
            {"name": column.name, "kind": "number"} | {key: getattr(column, key) for key in ("mean", "std", "low", "high")}
            if column.kind == "number"
            else {"name": column.name, "kind": "category", "categories": list(column.categories)}
            for column in self.columns
        ]

    @classmethod
    def from_json(cls, entries: Sequence[Mapping[str, Any]]) -> TabularEncoder:
        """Reads what :meth:`to_json` gave."""
        return cls(tuple(Column(**{**entry, "categories": tuple(entry.get("categories", ()))}) for entry in entries))


def add_tabular(study: Study, name: str, columns: Sequence[str]) -> Study:
    """The study with some of its columns as one more modality, for every subject that has a value in any of them.

    Tasks can be answered from it too. A subject's first row counts.

    Args:
        study: Any study.
        name: Of the new modality.
        columns: Of its table.

    Raises:
        DrifaError: The name is taken, a column is unknown, or all of them are empty.
    """
    if name in study.modalities:
        raise DrifaError(f"study {study.name!r} has a modality {name!r} already; give the tabular one another name")
    for column in columns:
        if column not in study.table.columns:
            raise DrifaError(f"study {study.name!r} has no column {column!r}{suggest(column, study.table.columns)}")
        if column in study.tasks:
            raise DrifaError(
                f"column {column!r} is a task of study {study.name!r}, which a network must not read; leave it out"
            )
    rows = study.table.drop_duplicates("subject").copy()
    rows = rows[np.logical_or.reduce([_as_text(rows[column]) != "" for column in columns])]
    if rows.empty:
        raise DrifaError(f"the columns {', '.join(columns)} of study {study.name!r} are empty; name others")
    rows["modality"], rows["path"] = name, ""
    tasks = {key: replace(task, modalities=(*task.modalities, name)) for key, task in study.tasks.items()}
    modalities = {**study.modalities, name: Modality(name, columns=tuple(columns))}
    return replace(study, table=pd.concat([study.table, rows], ignore_index=True), modalities=modalities, tasks=tasks)


def fit_encoders(study: Study) -> dict[str, TabularEncoder]:
    """The encoder of every tabular modality, learned from the study's training split."""
    table = study.table
    return {
        name: TabularEncoder.fit(table[(table["modality"] == name) & (table["split"] == "train")], modality.columns)
        for name, modality in study.modalities.items()
        if modality.columns
    }


class WithColumns:
    """An image source that also gives the tabular modalities of a study.

    Args:
        images: Gives the other modalities.
        table: The study's table.
        encoders: By modality.
    """

    def __init__(self, images: Any, table: pd.DataFrame, encoders: Mapping[str, TabularEncoder]) -> None:
        self.images = images
        self.rows = {name: np.flatnonzero((table["modality"] == name).to_numpy()) for name in encoders}
        self.codes = {name: encoder.encode(table.iloc[self.rows[name]]) for name, encoder in encoders.items()}

    def read(self, modality: str, rows: np.ndarray) -> torch.Tensor:
        """uint8 images ``[n, C, H, W]``, or float32 features ``[n, F, 1, 1]``; zeros where a row is -1."""
        if modality not in self.codes:
            return self.images.read(modality, rows)
        rows = np.asarray(rows, dtype=np.int64)
        codes = self.codes[modality]
        result = codes.new_zeros((len(rows), *codes.shape[1:]))
        wanted = np.flatnonzero(rows != -1)
        result[torch.from_numpy(wanted)] = codes[torch.from_numpy(np.searchsorted(self.rows[modality], rows[wanted]))]
        return result


def _as_text(values: pd.Series) -> pd.Series:
    text = values.astype(object).where(values.notna(), "").astype(str)
    return text.map({value: plain(value) for value in text.unique()}).astype(str)


def _without_words(text: pd.Series) -> pd.Series:
    """What programs write for a missing number made empty."""
    return text.mask(text.isin([value for value in text.unique() if is_missing(value)]), "")


def _with_points(text: pd.Series) -> pd.Series:
    return pd.Series(decimal_points(text.tolist()), text.index, dtype=text.dtype)


def _numbers(text: pd.Series, name: str) -> np.ndarray:
    text = _with_points(_without_words(text))
    number = pd.to_numeric(text.where(text != "", np.nan), errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(~np.isfinite(number) & (text != "").to_numpy())
    if len(wrong):
        raise DrifaError(
            f"column {name!r} holds {text.iloc[wrong[0]]!r}, and was a number in training; correct it or leave it empty"
        )
    return number


def _fit_column(name: str, text: pd.Series) -> Column:
    given, told = text[text != ""], _without_words(text)
    told = told[told != ""]
    if told.empty:
        raise DrifaError(f"column {name!r} is empty in all training rows; leave it out")
    number = pd.to_numeric(_with_points(told), errors="coerce").to_numpy(dtype=float)
    if np.isfinite(number).all():
        mean, std = float(number.mean()), float(number.std()) or 1.0
        return Column(name, "number", mean, std, low=float(number.min()), high=float(number.max()))
    categories = tuple(sorted(given.unique()))
    if len(categories) > MOST_CATEGORIES:
        raise DrifaError(
            f"column {name!r} holds {len(categories)} different texts, such as {categories[0]!r}; a category takes at most "
            f"{MOST_CATEGORIES}: group its values, or leave it out"
        )
    return Column(name, "category", categories=categories)
