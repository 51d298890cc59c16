"""One answer per subject, of the many that predictions.parquet holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drifa.runs.files import MAIN_CONDITIONS, RunFiles
from drifa.uncertainty.modes import ALL_MEMBERS, MODE_NAMES, mode_order

if TYPE_CHECKING:
    import pandas as pd


def one_answer_each(task: str, files: RunFiles, known: str | None = None) -> pd.DataFrame | None:
    """One row per subject, by name: the judged split, the most thorough mode, all members together or else the first.

    Args:
        task: The task.
        files: The run.
        known: A column; only rows that have a value there are looked at, and so only modes that do.

    Returns:
        The rows; None if there are none.
    """
    table = answers_of_all(task, files, known)
    if table is None:
        return None
    table = table[table["member"] == table["member"].min()]
    return table.sort_values("subject", kind="stable")


def answers_of_all(task: str, files: RunFiles, known: str | None = None) -> pd.DataFrame | None:
    """As :func:`one_answer_each`, with a row per member where members answered one by one.

    Args:
        task: The task.
        files: The run.
        known: A column; only rows that have a value there are looked at, and so only modes that do.

    Returns:
        The rows; None if there are none.
    """
    if files.predictions is None:
        return None
    table = files.predictions[files.predictions["task"] == task]
    if known is not None:
        table = table[table[known].notna()]
    split = (files.evaluation or {}).get("split")
    for column, order in (
        ("split", [split]),
        ("mode", mode_order(table["mode"].unique())),
    ):
        found = next((value for value in order if (table[column] == value).any()), None)
        if found is not None:
            table = table[table[column] == found]
    main = table["condition"].isin(MAIN_CONDITIONS)
    table = table[main if main.any() else table["condition"] == "alone"]
    return None if table.empty else table


def class_answers(task: str, classes: list[str], files: RunFiles) -> tuple[pd.DataFrame, np.ndarray] | None:
    """The rows of :func:`one_answer_each` that have a label, with the probability of each class.

    Args:
        task: The task.
        classes: Its classes, in the order of the probabilities.
        files: The run.

    Returns:
        The rows and their probabilities ``[N, C]``; None where there are none, or not one per class.
    """
    table = one_answer_each(task, files)
    if table is None or "probabilities" not in table or not classes:
        return None
    table = table[table["label"].notna()]
    scores = [np.asarray(row, dtype=np.float64) for row in table["probabilities"]]
    if not scores or any(row.shape != (len(classes),) for row in scores):
        return None
    return table, np.stack(scores)


def who_answered(table: pd.DataFrame) -> dict[str, str | int | None]:
    """Name of the mode of :func:`one_answer_each`, and the member; None if all answered together."""
    mode, member = table["mode"].iloc[0], int(table["member"].iloc[0])
    return {"mode": MODE_NAMES.get(mode, mode), "network": None if member <= ALL_MEMBERS else member}
