"""Whether the stated ranges of predicted numbers are honest, and what leaving the widest to a person gains."""

from __future__ import annotations

from typing import Any

from drifa.report import number_figures, words
from drifa.report.data_link import data_link
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.sections.metrics import cell
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """A figure per task of numbers, a line per mode, and the numbers behind it; None where no task states a deviation."""
    if not files.expects("number"):
        return None
    tasks = []
    for task in judged_tasks(files, "number"):
        levels = {mode: detail["calibration"] for mode, detail in task.details.items() if detail.get("calibration")}
        if levels:
            tasks.append(
                {
                    "name": task.name,
                    "figure": number_figures.range_coverage(levels),
                    "modes": [task.describe(mode) for mode in levels],
                    "rows": _rows(levels),
                    "gain": _gain(task),
                    "data": data_link(
                        f"{task.name}-ranges", [{"mode": mode, **row} for mode, rows in levels.items() for row in rows]
                    ),
                }
            )
    evaluated = files.evaluation is not None
    return {"evaluated": evaluated, "tasks": tasks} if tasks or not evaluated else None


def _rows(levels: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """One row per stated level, a cell per mode."""
    inside = {mode: {row["level"]: row["coverage"] for row in rows} for mode, rows in levels.items()}
    every = sorted({level for of_mode in inside.values() for level in of_mode})
    return [{"level": level, "cells": [words.share(inside[mode].get(level)) for mode in levels]} for level in every]


def _gain(task: JudgedTask) -> dict[str, str] | None:
    """The mean error of all answers and of the surest, in the most thorough mode; None if it was not measured."""
    error, surest = (cell(task, metric, task.best.get(metric))["text"] for metric in ("mae", "mae_at_80"))
    return None if words.MISSING in (error, surest) else {"all": error, "surest": surest}
