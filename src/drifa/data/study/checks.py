"""What a study's table must satisfy. Every finding names the row as an editor shows it: the header is line 1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from drifa.data.study.schema import SPLIT_PROTOCOLS, Modality, Task
from drifa.data.study.subjects import class_codes
from drifa.errors import DrifaError, suggest

COLUMNS = ("subject", "modality", "path", "group", "split")
SPLITS = ("train", "val", "test")
#: Split of subjects that nothing uses: training images that share a group with a published test set.
UNUSED = "unused"
SPLIT_VALUES = (*SPLITS, UNUSED)


def checked_table(
    table: pd.DataFrame, modalities: Mapping[str, Modality], tasks: Mapping[str, Task], split_protocol: str, place: str
) -> pd.DataFrame:
    """Returns the table with its own columns as text and empty groups filled with the subject's id.

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
    table = _as_text(table, (*COLUMNS, *tasks), place)
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
    table["group"] = table["group"].where(table["group"] != "", table["subject"])
    return table


def _fail(wrong: np.ndarray | pd.Series, place: str, message: str, table: pd.DataFrame, column: str) -> None:
    """Raises for the first row marked; `{value}` and `{row}` in the message are filled in."""
    rows = np.flatnonzero(np.asarray(wrong))
    if len(rows):
        more = f" [{len(rows) - 1} more such rows]" if len(rows) > 1 else ""
        value = repr(str(table[column].iloc[rows[0]]))
        text = message.replace("{value}", value).replace("{row}", f"row {rows[0] + 2} of {place}")
        raise DrifaError(text + more)


def _unknown(wrong: np.ndarray, place: str, message: str, table: pd.DataFrame, column: str, choices: tuple[str, ...]) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        _fail(wrong, place, message + suggest(table[column].iloc[rows[0]], choices), table, column)


def _check_rows(
    table: pd.DataFrame, subject: np.ndarray, modalities: Mapping[str, Modality], tasks: Mapping[str, Task], place: str
) -> None:
    _fail(table["subject"] == "", place, "{row} has no subject; give every case an id", table, "subject")
    code = class_codes(table["modality"], tuple(modalities))
    _unknown(code < 0, place, "unknown modality {value} in {row}", table, "modality", tuple(modalities))
    for position, name in enumerate(modalities):
        if not (code == position).any():
            raise DrifaError(f"modality {name!r} has no images in {place}; leave it out of the modalities, or add its rows")
    tabular = table["modality"].isin([name for name, modality in modalities.items() if modality.columns])
    _fail((table["path"] == "") & ~tabular, place, "{row} has no path; name its image file", table, "path")
    _fail((table["path"] != "") & tabular, place, "path {value} in {row} is of a tabular modality; empty it", table, "path")
    _check_paths(table, "path", "path", place)
    wrong = ~table["split"].isin(("", *SPLIT_VALUES)).to_numpy()
    _unknown(wrong, place, "unknown split {value} in {row}", table, "split", SPLIT_VALUES)
    wrong = pd.Series(subject * len(modalities) + code).duplicated().to_numpy()
    message = "subject {value} has a second image of one modality in {row}; a subject owns one per modality: use two subjects"
    _fail(wrong, place, message + " with the same group", table, "subject")
    for task in tasks.values():
        if task.kind == "segmentation":
            _check_paths(table, task.name, f"mask path of task {task.name!r}", place)
            if (table[task.name] == "").all():
                raise DrifaError(f"task {task.name!r} has no mask in {place}; leave it out of the tasks, or add its mask paths")
            continue
        label = class_codes(table[task.name], task.classes)
        wrong = (label < 0) & (table[task.name] != "").to_numpy()
        message = f"label {{value}} in {{row}} is not a class of task {task.name!r}"
        _unknown(wrong, place, message, table, task.name, task.classes)
        count = np.bincount(label[label >= 0], minlength=len(task.classes))
        if (count == 0).any():
            name = task.classes[int(np.argmin(count))]
            raise DrifaError(
                f"class {name!r} of task {task.name!r} has no images in {place}; "
                f"leave it out of the classes of the task, or add its rows"
            )


def _check_paths(table: pd.DataFrame, column: str, what: str, place: str) -> None:
    message = f"{what} {{value}} in {{row}} holds a sign that no file name has; correct it"
    _fail(table[column].str.contains("[\0\r\n]", regex=True), place, message, table, column)
    outside = table[column].str.contains(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)", regex=True)
    remedy = "write paths relative to 'root' in study.yaml, without '..', or move 'root' up"
    _fail(outside, place, f"{what} {{value}} in {{row}} leaves the study's root; {remedy}", table, column)


def _check_subjects(
    table: pd.DataFrame, subject: np.ndarray, tasks: Mapping[str, Task], split_protocol: str, place: str
) -> None:
    for column in ("subject", "group"):
        _check_spaces(table, column, place)
    for task in tasks.values():
        value = pd.factorize(table[task.name])[0]
        wrong = _disagrees(subject, value, (table[task.name] != "").to_numpy())
        what = "label" if task.kind == "classification" else "mask"
        message = (
            f"subject {{value}} has another {what} of task {task.name!r} in {{row}} than in its other rows; make them agree"
        )
        _fail(wrong, place, message, table, "subject")
    group = pd.factorize(table["group"])[0]
    message = "subject {value} is in another group in {row} than in its other rows; a subject belongs to one group"
    _fail(_disagrees(subject, group), place, message, table, "subject")
    split = pd.factorize(table["split"])[0]
    message = "subject {value} is in another split in {row} than in its other rows; put all of it in one"
    _fail(_disagrees(subject, split), place, message, table, "subject")
    if split_protocol != "paper":
        message = "group {value} in {row} is in two splits; put all of it in one, split again with `drifa data split`, or say"
        message += " 'split_protocol: paper' in study.yaml if groups are meant to be cut"
        _fail(_disagrees(group, split, (table["split"] != UNUSED).to_numpy()), place, message, table, "group")


def _check_spaces(table: pd.DataFrame, column: str, place: str) -> None:
    """Refuses ids that only spaces tell apart: a split would take `P1` and `P1 ` for two patients."""
    text = table[column]
    bare = text.str.strip()
    spaced = (text != bare).to_numpy()
    if spaced.any():
        names = pd.DataFrame({"text": text, "bare": bare})[bare.isin(bare[spaced])].drop_duplicates()
        double = names.loc[names["bare"].duplicated(keep=False), "text"]
        message = f"{column} {{value}} in {{row}} differs from another {column} by spaces only; write one alike everywhere"
        _fail(text.isin(double).to_numpy() & spaced, place, message, table, column)


def _disagrees(owner: np.ndarray, value: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
    """Rows whose value differs from that of the owner's first counted row."""
    rows = np.arange(len(owner)) if counted is None else np.flatnonzero(counted)
    first = np.full(owner.max() + 1, -1, dtype=np.int64)
    first[owner[rows[::-1]]] = rows[::-1]
    wrong = np.zeros(len(owner), dtype=bool)
    wrong[rows] = value[rows] != value[first[owner[rows]]]
    return wrong
