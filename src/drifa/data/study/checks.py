"""What a study's table must satisfy. Every finding names the row as an editor shows it: the header is line 1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from drifa.data.study.schema import SPLIT_PROTOCOLS, Modality, Task
from drifa.data.targets.base import refuse_paths, refuse_rows
from drifa.errors import DrifaError, suggest
from drifa.names import ids_of, is_no_group, is_rounded, plain

COLUMNS = ("subject", "modality", "path", "group", "split")
SPLITS = ("train", "val", "test")
#: Split of subjects that nothing uses: training images that share a group with a published test set.
UNUSED = "unused"
#: Split of what was cut off from training for `drifa calibrate` alone.
CALIBRATION = "calibration"
SPLIT_VALUES = (*SPLITS, CALIBRATION, UNUSED)
#: Where adapters keep the split that a dataset was published with.
OFFICIAL_COLUMN = "official"


def checked_table(
    table: pd.DataFrame, modalities: Mapping[str, Modality], tasks: Mapping[str, Task], split_protocol: str, place: str
) -> pd.DataFrame:
    """Returns the table with its own columns as text, every id in its one spelling, and empty groups filled with the subject.

    Args:
        table: One row per image; extra columns are kept untouched.
        modalities: Declared modalities by name.
        tasks: Declared tasks by name.
        split_protocol: ``paper`` allows a group to be cut by the split.
        place: How errors call the table.

    Raises:
        DrifaError: The first fault found, with its row, its value and the remedy.
    """
    for task in tasks.values():
        if task.name in COLUMNS:
            raise DrifaError(f"task {task.name!r} has the name of a column that every study has; rename it")
        for name in task.modalities:
            if name not in modalities:
                raise DrifaError(f"task {task.name!r} names the unknown modality {name!r}{suggest(name, modalities)}")
    if split_protocol not in SPLIT_PROTOCOLS:
        raise DrifaError(f"unknown split_protocol {split_protocol!r}{suggest(split_protocol, SPLIT_PROTOCOLS[1:])}")
    table = _spelled(_as_text(table, (*COLUMNS, *tasks), place), tasks)
    subject = pd.factorize(table["subject"])[0]
    _check_rows(table, subject, modalities, tasks, place)
    _check_subjects(table, subject, tasks, split_protocol, place)
    return table


def _as_text(table: pd.DataFrame, columns: tuple[str, ...], place: str) -> pd.DataFrame:
    for name in columns:
        if name not in table.columns:
            optional = " (it may be empty)" if name in ("group", "split") else ""
            raise DrifaError(f"{place} has no column {name!r}{suggest(name, table.columns)}; add it{optional}")
    if table.empty:
        raise DrifaError(f"{place} has no rows; a study needs one row per image")
    table = table.reset_index(drop=True)
    for name in columns:
        column = table[name]
        # A column that is text already is left as it is; one of objects may hold anything.
        if isinstance(column.dtype, pd.StringDtype) and column.dtype.na_value is not pd.NA:
            table[name] = column.fillna("")
        else:
            column = column.astype(object)
            table[name] = column.where(column.notna(), "").astype(str)
    return table


def _spelled(table: pd.DataFrame, tasks: Mapping[str, Task]) -> pd.DataFrame:
    """Ids and labels in their one spelling; paths stay, for a file has the name that it has."""
    for name in ("subject", "group"):
        table[name] = pd.Series(ids_of(table[name]), table.index, dtype=table[name].dtype)
    for name in ("modality", "split"):
        table[name] = table[name].map({text: plain(text) for text in table[name].unique()})
    for task in tasks.values():
        table[task.name] = task.target.spelled(table[task.name])
    table["group"] = table["group"].where(table["group"] != "", table["subject"])
    return table


def _check_rows(
    table: pd.DataFrame, subject: np.ndarray, modalities: Mapping[str, Modality], tasks: Mapping[str, Task], place: str
) -> None:
    refuse_rows(table["subject"] == "", table["subject"], place, "{row} has no subject; give every case an id")
    code = pd.Index(tuple(modalities)).get_indexer(pd.Index(table["modality"])).astype(np.int64)
    refuse_rows(code < 0, table["modality"], place, "unknown modality {value} in {row}", tuple(modalities))
    for position, name in enumerate(modalities):
        if not (code == position).any():
            raise DrifaError(f"modality {name!r} has no images in {place}; leave it out of the modalities, or add its rows")
    tabular = table["modality"].isin([name for name, modality in modalities.items() if modality.columns])
    refuse_rows((table["path"] == "") & ~tabular, table["path"], place, "{row} has no path; name its image file")
    refuse_rows(
        (table["path"] != "") & tabular, table["path"], place, "path {value} in {row} is of a tabular modality; empty it"
    )
    refuse_paths(table["path"], "path", place)
    wrong = ~table["split"].isin(("", *SPLIT_VALUES)).to_numpy()
    refuse_rows(wrong, table["split"], place, "unknown split {value} in {row}", SPLIT_VALUES)
    wrong = pd.Series(subject * len(modalities) + code).duplicated().to_numpy()
    message = "subject {value} has a second image of one modality in {row}; a subject owns one per modality: use two subjects"
    refuse_rows(wrong, table["subject"], place, message + " with the same group")
    for task in tasks.values():
        task.target.check_column(task.name, table[task.name], place)


def _check_subjects(
    table: pd.DataFrame, subject: np.ndarray, tasks: Mapping[str, Task], split_protocol: str, place: str
) -> None:
    for column in ("subject", "group"):
        rounded = table[column].isin([text for text in table[column].unique() if is_rounded(text)])
        message = f"{column} {{value}} in {{row}} is a long number that a spreadsheet rounded: several may have become one"
        refuse_rows(rounded, table[column], place, f"{message}; export the column as text")
    words = [text for text in table["group"].unique() if is_no_group(text)]
    shared = table.loc[table["group"].isin(words)].groupby("group")["subject"].nunique()
    message = "group {value} in {row} is a word for a missing value, and would make one patient of several subjects; empty the"
    message += " cells, so that each subject is its own group, or write the patient's id"
    refuse_rows(table["group"].isin(shared.index[shared > 1]), table["group"], place, message)
    for task in tasks.values():
        # Read, not compared as text: 45 and 45.0 are one number.
        value = pd.factorize(task.target.read(table[task.name].to_numpy(dtype=object)))[0]
        wrong = _disagrees(subject, value, (table[task.name] != "").to_numpy())
        message = f"subject {{value}} has another {task.target.noun} of task {task.name!r} in {{row}} than in its other rows"
        refuse_rows(wrong, table["subject"], place, f"{message}; make them agree")
    group = pd.factorize(table["group"])[0]
    message = "subject {value} is in another group in {row} than in its other rows; a subject belongs to one group"
    refuse_rows(_disagrees(subject, group), table["subject"], place, message)
    split = pd.factorize(table["split"])[0]
    message = "subject {value} is in another split in {row} than in its other rows; put all of it in one"
    refuse_rows(_disagrees(subject, split), table["subject"], place, message)
    if split_protocol != "paper":
        message = "group {value} in {row} is in two splits; put all of it in one, split again with `drifa data split`, or say"
        message += " 'split_protocol: paper' in study.yaml if groups are meant to be cut"
        refuse_rows(_disagrees(group, split, (table["split"] != UNUSED).to_numpy()), table["group"], place, message)


def _disagrees(owner: np.ndarray, value: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
    """Rows whose value differs from that of the owner's first counted row."""
    rows = np.arange(len(owner)) if counted is None else np.flatnonzero(counted)
    first = np.full(owner.max() + 1, -1, dtype=np.int64)
    first[owner[rows[::-1]]] = rows[::-1]
    wrong = np.zeros(len(owner), dtype=bool)
    wrong[rows] = value[rows] != value[first[owner[rows]]]
    return wrong
