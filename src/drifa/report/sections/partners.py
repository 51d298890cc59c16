"""How much the answer about an image depends on the images of other patients beside it."""

from __future__ import annotations

from typing import Any

from drifa.metrics.names import NUMBER_PARTNER_METRICS, PARTNER_METRICS
from drifa.report import about, words
from drifa.report.answers import one_answer_each, who_answered
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.sections.metrics import metric_rows
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """The partner metrics of each task that has some; None for a study without partners."""
    tasks = [task for task in judged_tasks(files, "classes", "number") if partner_metrics(task)]
    if not tasks:
        return None
    return {
        "partners": about.evaluation(files)["partners"],
        "tasks": [
            {
                **task.title,
                "modes": [task.describe(mode) for mode in task.modes],
                "rows": metric_rows(task, partner_metrics(task)),
                "flips": _flips(task, files) if task.kind == "classes" else None,
                "sway": _sway(task, files) if task.kind == "number" else None,
            }
            for task in tasks
        ],
    }


def partner_metrics(task: JudgedTask) -> list[str]:
    """The partner metrics that a task has, behind the same figures with partners, to compare."""
    found = [metric for metric in [*PARTNER_METRICS, *NUMBER_PARTNER_METRICS] if metric in task.measured]
    compare = [metric for metric in ("accuracy", "balanced_accuracy", "mae") if f"{metric}_alone" in found]
    return compare + found


def _flips(task: JudgedTask, files: RunFiles) -> dict[str, Any] | None:
    """How many images get another answer with at least one of their partners; None if that was not recorded."""
    table = one_answer_each(task.name, files, known="flip_rate")
    if table is None:
        return None
    changed = table["flip_rate"] > 0
    return {
        **who_answered(table),
        "count": len(table),
        "changed": int(changed.sum()),
        "share": words.share(float(changed.mean())),
    }


def _sway(task: JudgedTask, files: RunFiles) -> dict[str, Any] | None:
    """How far a predicted number moves from one partner to the next; None if that was not recorded."""
    table = one_answer_each(task.name, files, known="partner_std")
    if table is None:
        return None
    mean = {"value": float(table["partner_std"].mean())}
    return {**who_answered(table), "spread": words.written_as("unit", mean, task.unit)["text"]}
