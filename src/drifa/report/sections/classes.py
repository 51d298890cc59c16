"""Which class is found, and which is taken for which."""

from __future__ import annotations

from typing import Any

from drifa.report.judged import JudgedTask, judged_tasks
from drifa.runs.files import RunFiles


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
            }
            for task in tasks
        ],
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
