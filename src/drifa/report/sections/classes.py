"""Which class is found, and which is taken for which."""

from __future__ import annotations

from typing import Any

from drifa.metrics.intervals import mean_interval
from drifa.report import class_figures
from drifa.report.answers import answers_of_all
from drifa.report.data_link import data_link
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.verdicts import FEW_GROUPS
from drifa.runs.files import RunFiles
from drifa.uncertainty.modes import MODE_NAMES


def record(files: RunFiles) -> dict[str, Any] | None:
    """The table per class and the confusion counts of each task of classes; None for a run without such tasks."""
    if not files.expects("classes"):
        return None
    tasks = [task for task in judged_tasks(files, "classes") if task.detail.get("per_class") or _confusion(task)]
    return {
        "evaluated": files.evaluation is not None,
        "tasks": [
            {
                **task.title,
                "mode": task.detail_mode,
                "classes": task.classes,
                "per_class": task.detail.get("per_class") or [],
                "confusion": _confusion(task),
                **_found(task, files),
            }
            for task in tasks
        ],
    }


def _found(task: JudgedTask, files: RunFiles) -> dict[str, Any]:
    """What is found of each class in the most thorough mode, with its interval over groups, and the classes of few groups."""
    table = answers_of_all(task.name, files, "correct")
    if table is None or "group" not in table:
        return {"found": None, "found_data": "", "few": []}
    said = files.evaluation or {}
    resamples, seed = int(said.get("resamples") or 1000), int(said.get("seed") or 0)
    rows = []
    for name in task.classes:
        part = table[table["label"] == name]
        if len(part):
            right, groups = part["correct"].astype(float).to_numpy(), part["group"].to_numpy()
            interval = mean_interval(right, groups, resamples, seed=seed, rate=True)
            count = int(part["group"].nunique())
            images = int(part["subject"].nunique())
            rows.append({"class": name, **interval, "images": images, "groups": count, "few": count < FEW_GROUPS})
    return {
        "found": class_figures.found_bars(rows) if rows else None,
        "found_mode": MODE_NAMES.get(table["mode"].iloc[0], table["mode"].iloc[0]),
        "found_data": data_link(f"{task.name}-found", rows),
        "few": [f"{row['class']} ({row['groups']})" for row in rows if row["few"]],
    }


def _confusion(task: JudgedTask) -> list[dict[str, Any]]:
    """Rows of the table: each cell a count and its share of the row."""
    confusion = task.detail.get("confusion")
    if not confusion or len(confusion) != len(task.classes):
        return []
    rows = []
    for name, counts in zip(task.classes, confusion, strict=True):
        total = sum(counts)
        parts = [count / total if total else 0.0 for count in counts]
        rows.append({"class": name, "total": total, "cells": list(zip(counts, parts, strict=True))})
    return rows
