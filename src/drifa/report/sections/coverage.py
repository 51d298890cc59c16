"""What is gained by leaving uncertain images to a person: accuracy by the share of images kept."""

from __future__ import annotations

from typing import Any

from drifa.report import class_figures, figures
from drifa.report.answers import one_answer_each
from drifa.report.data_link import data_link
from drifa.report.judged import judged_tasks
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """A figure per task of classes, a line per mode; None for a run without such tasks."""
    if not files.expects("classes"):
        return None
    tasks = []
    for task in judged_tasks(files, "classes"):
        curves = {mode: detail["risk_coverage"] for mode, detail in task.details.items() if detail.get("risk_coverage")}
        if curves:
            modes = [task.describe(mode) for mode in curves]
            data = data_link(f"{task.name}-coverage", [{"mode": mode, **row} for mode, rows in curves.items() for row in rows])
            drawn = {"figure": figures.coverage_curves(curves), "data": data, **_doubt(task.name, files)}
            tasks.append({"name": task.name, "modes": modes, **drawn})
    return {"evaluated": files.evaluation is not None, "tasks": tasks}


def _doubt(task: str, files: RunFiles) -> dict[str, Any]:
    """The figure of doubt of right and wrong answers; None where either is missing."""
    table = one_answer_each(task, files, known="correct")
    if table is None:
        return {"doubt": None, "doubt_data": "", "wrong": 0}
    right = table["correct"].astype(bool)
    doubt = 1 - table["confidence"]
    figure, rows = class_figures.doubt_bars(doubt[right].tolist(), doubt[~right].tolist())
    return {"doubt": figure, "doubt_data": data_link(f"{task}-doubt", rows), "wrong": int((~right).sum())}
