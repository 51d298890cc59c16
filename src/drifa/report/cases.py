"""Single images worth a look, from predictions.parquet: confident errors, uncertain cases, answers that hang on the partner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drifa.report import words
from drifa.runs.files import RunFiles
from drifa.uncertainty.modes import MODE_NAMES, mode_order

if TYPE_CHECKING:
    import pandas as pd

LISTED = 10

# From the way the model is meant to be used to the least tested one.
CONDITIONS = ("partners", "paired", "alone")


def single_cases(task: str, files: RunFiles) -> dict[str, Any] | None:
    """The most confident errors and the most uncertain images of a task; None if its answers were not recorded."""
    table = _one_answer_each(task, files)
    if table is None:
        return None
    wrong = table[table["label"].notna() & ~table["correct"].fillna(True).astype(bool)]
    return {
        "mode": MODE_NAMES.get(table["mode"].iloc[0], table["mode"].iloc[0]),
        "network": None if (table["member"] < 0).all() else int(table["member"].iloc[0]),
        "count": len(table),
        "wrong": len(wrong),
        "confident_errors": _rows(wrong.sort_values("confidence", ascending=False, kind="stable")),
        "most_uncertain": _rows(table.sort_values("predictive_entropy", ascending=False, kind="stable")),
        "has_information": bool(table["mutual_information"].notna().any()),
    }


def partner_flips(task: str, files: RunFiles) -> dict[str, Any] | None:
    """How many images get another answer with at least one of their partners; None if that was not recorded."""
    table = _one_answer_each(task, files, with_flips=True)
    if table is None:
        return None
    changed = table["flip_rate"] > 0
    mode = table["mode"].iloc[0]
    return {
        "mode": MODE_NAMES.get(mode, mode),
        "count": len(table),
        "changed": int(changed.sum()),
        "share": words.share(float(changed.mean())),
    }


def _one_answer_each(task: str, files: RunFiles, with_flips: bool = False) -> pd.DataFrame | None:
    """One row per image, by subject: the judged split, the most thorough mode, all members together or else the first."""
    if files.predictions is None:
        return None
    table = files.predictions[files.predictions["task"] == task]
    if with_flips:
        table = table[table["flip_rate"].notna()]
    split = (files.evaluation or {}).get("split")
    for column, order in (
        ("split", [split]),
        ("mode", mode_order(table["mode"].unique())),
        ("condition", CONDITIONS),
        ("member", sorted(table["member"].unique())),
    ):
        found = next((value for value in order if (table[column] == value).any()), None)
        if found is not None:
            table = table[table[column] == found]
    return None if table.empty else table.sort_values("subject", kind="stable")


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "subject": row["subject"],
            "label": row["label"] if isinstance(row["label"], str) else words.MISSING,
            "predicted": row["predicted"],
            "confidence": words.share(row["confidence"]),
            "entropy": words.number(row["predictive_entropy"], 2),
            "information": words.number(row["mutual_information"], 2),
        }
        for row in table.head(LISTED).to_dict("records")
    ]
