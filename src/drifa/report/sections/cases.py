"""Single subjects worth a look, from predictions.parquet: errors that nobody would expect, and the most uncertain answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from drifa.report import words
from drifa.report.answers import one_answer_each, who_answered
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.sections import explanations
from drifa.runs.files import RunFiles

if TYPE_CHECKING:
    import pandas as pd

LISTED = 10
#: Cases of each sort in a strip of pictures.
EXAMPLES = 2


def record(files: RunFiles) -> dict[str, Any] | None:
    """The lists of each task whose answers were recorded; None for a run that only draws regions."""
    if not files.expects("classes", "number"):
        return None
    of_classes = [_of_classes(task, files) for task in judged_tasks(files, "classes")]
    of_numbers = [_of_numbers(task, files) for task in judged_tasks(files, "number")]
    return {
        "recorded": files.predictions is not None,
        "has_classes": files.expects("classes"),
        "has_numbers": files.expects("number"),
        "classes": [task for task in of_classes if task is not None],
        "numbers": [task for task in of_numbers if task is not None],
    }


def examples(task: JudgedTask, files: RunFiles) -> list[dict[str, Any]]:
    """A few cases of a task of classes for a strip of pictures: surely right, in doubt, and surely wrong."""
    table = one_answer_each(task.name, files)
    if task.kind != "classes" or table is None:
        return []
    known = table[table["label"].notna() & table["correct"].notna()].sort_values("confidence", ascending=False, kind="stable")
    right = known["correct"].astype(bool)
    parts = {
        "surest right answer": known[right].head(EXAMPLES),
        "most in doubt": known.tail(EXAMPLES),
        "surest error": known[~right].head(EXAMPLES),
    }
    seen: set[str] = set()
    found = []
    for caption, part in parts.items():
        for row in part.to_dict("records"):
            if row["subject"] not in seen:
                seen.add(row["subject"])
                found.append(_pictured(row, caption, ""))
    return found


def _pictured(row: dict[Any, Any], caption: str, alike: str) -> dict[str, Any]:
    right, sure = bool(row["correct"]), words.share(row["confidence"], 0)
    told = f"{row['predicted']}, {sure}\u00a0%" if right else f"{row['predicted']}, {sure}\u00a0%; true: {row['label']}"
    return {"subject": row["subject"], "caption": caption, "right": right, "told": told, "alike": alike}


def _of_classes(task: JudgedTask, files: RunFiles) -> dict[str, Any] | None:
    """The most confident errors and the most uncertain images."""
    table = one_answer_each(task.name, files)
    if table is None:
        return None
    wrong = table[table["label"].notna() & ~table["correct"].fillna(True).astype(bool)]
    errors = wrong.sort_values("confidence", ascending=False, kind="stable")
    near = {case.get("subject"): explanations.alike(case) for case in (files.explanation or {}).get("cases") or []}
    return {
        "name": task.name,
        **who_answered(table),
        "nats": math.log(len(task.classes)) if len(task.classes) > 1 else None,
        "count": len(table),
        "wrong": len(wrong),
        "gallery": [
            _pictured(row, row["subject"], near.get(row["subject"], "")) for row in errors.head(LISTED).to_dict("records")
        ],
        "confident_errors": _class_rows(errors),
        "most_uncertain": _class_rows(table.sort_values("predictive_entropy", ascending=False, kind="stable")),
        "has_information": bool(table["mutual_information"].notna().any()),
    }


def _of_numbers(task: JudgedTask, files: RunFiles) -> dict[str, Any] | None:
    """The largest errors and the answers with the widest stated range."""
    table = one_answer_each(task.name, files, known="value")
    if table is None:
        return None
    table = table.assign(error=table["value"] - table["truth"])
    known, stated = table[table["error"].notna()], table[table["std"].notna()]
    return {
        "name": task.name,
        **who_answered(table),
        "unit": task.unit,
        "known": len(known),
        "stated": len(stated),
        "largest_errors": _number_rows(known.sort_values("error", key=abs, ascending=False, kind="stable"), task.unit),
        "most_uncertain": _number_rows(stated.sort_values("std", ascending=False, kind="stable"), task.unit),
        "has_epistemic": bool(table["epistemic_std"].notna().any()),
    }


def _class_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
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


def _number_rows(table: pd.DataFrame, unit: str) -> list[dict[str, Any]]:
    return [
        {
            "subject": row["subject"],
            "truth": _written(row["truth"], unit),
            "answer": _with_deviation(row["value"], row["std"], unit),
            "error": _written(row["error"], unit),
            "epistemic": _written(row["epistemic_std"], unit),
        }
        for row in table.head(LISTED).to_dict("records")
    ]


def _written(value: float, unit: str) -> str:
    return words.written_as("unit", {"value": value}, unit)["text"]


def _with_deviation(value: float, std: float, unit: str) -> str:
    """``61.2 ± 4.5 years``; without the deviation where none was stated."""
    if math.isnan(std):
        return _written(value, unit)
    return f"{_written(value, '')}\u00a0±\u00a0{_written(std, unit)}"
