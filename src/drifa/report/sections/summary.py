"""The first things to know: alarms, headline figures, and what it costs nothing to reach."""

from __future__ import annotations

from typing import Any

from drifa.metrics.names import HEADLINES
from drifa.report import about, figures
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.sections import classes, scatter
from drifa.report.sections.metrics import cell, words_of
from drifa.runs.files import RunFiles

FLOORS = {"classes": classes.floor, "number": scatter.floor}


def record(files: RunFiles) -> dict[str, Any]:
    """Alarms, and the headline of each task in its most thorough mode."""
    receipt, evaluation = files.receipt or {}, about.evaluation(files)
    tasks = [task for task in judged_tasks(files) if task.modes]
    return {
        "shared": receipt.get("groups_in_two_splits"),
        "sharing": (receipt.get("subjects_sharing_a_group_with_train") or {}).get("test"),
        "study": about.study(files)["name"],
        "judged_on": evaluation["study"],
        "resamples": evaluation["resamples"],
        "measured": bool(files.metrics),
        "tasks": [_headline(task) for task in tasks],
        # A volume is judged voxel by voxel, and its interval needs words of its own.
        "of_subjects": any(task.kind != "regions" for task in tasks),
        "of_volumes": any(task.kind == "regions" for task in tasks),
    }


def _headline(task: JudgedTask) -> dict[str, Any]:
    floor = FLOORS.get(task.kind)
    return {
        **task.title,
        "cards": [_card(task, metric) for metric in _headline_metrics(task)],
        "mode": task.describe(task.modes[0]),
        "floor": floor(task) if floor else "",
    }


def _headline_metrics(task: JudgedTask) -> list[str]:
    if task.kind == "regions":
        return [f"dice_{region}" for region in task.regions]
    return [metric for metric in HEADLINES[task.kind] if metric in task.best]


def _card(task: JudgedTask, metric: str) -> dict[str, Any]:
    words, interval = words_of(task, metric), task.best.get(metric)
    region = f", {metric.removeprefix('dice_')}" if task.kind == "regions" else ""
    # The bar is a scale from 0 to 1: it is for what cannot lie elsewhere.
    bar = figures.interval_bar(interval or {}) if words.bounds == (0, 1) else None
    return {"label": f"{words.label}{region}", **cell(task, metric, interval), "bar": bar}
