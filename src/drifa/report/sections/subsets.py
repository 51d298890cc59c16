"""What each subset of the modalities still gives."""

from __future__ import annotations

from typing import Any

from drifa.metrics.names import Kind, metric_words
from drifa.report import words
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.sections.metrics import cell
from drifa.runs.files import RunFiles

SUBSET_METRICS: dict[Kind, tuple[str, ...]] = {
    "classes": ("accuracy", "balanced_accuracy", "auc"),
    "number": ("mae", "rmse", "r2"),
}


def record(files: RunFiles) -> dict[str, Any] | None:
    """One table per task that was judged on subsets; None where nobody asked for any."""
    every = (files.evaluation or {}).get("subsets") or {}
    tasks = [_table(task, every.get(task.name) or {}) for task in judged_tasks(files)]
    told = [table for table in tasks if table["rows"]]
    return {"tasks": told} if told else None


def _table(task: JudgedTask, subsets: dict[str, Any]) -> dict[str, Any]:
    """The largest subset first; a single one of a task that reads subjects says nothing that the other parts do not."""
    most_first = sorted(subsets, key=lambda name: -name.count("+"))
    if task.kind == "regions":
        metrics = [f"dice_{region}" for region in task.regions]
        columns = [f"Dice, {region}" for region in task.regions]
        counts: dict[str, list[dict[str, str]]] = {name: [] for name in most_first}
    else:
        metrics = list(SUBSET_METRICS[task.kind])
        columns = [
            "Images" if task.kind == "classes" else "Subjects",
            *(metric_words(metric, task.kind).label for metric in metrics),
        ]
        counts = {name: [{"text": words.whole(subsets[name].get("count")), "range": ""}] for name in most_first}
        most_first = most_first if len(most_first) > 1 else []
    rows = [
        {"subset": name, "cells": counts[name] + [cell(task, metric, subsets[name].get(metric)) for metric in metrics]}
        for name in most_first
    ]
    return {"name": task.name, "columns": columns, "rows": rows}
