"""Whether the stated probabilities are honest: the share right at each stated confidence."""

from __future__ import annotations

from typing import Any

from drifa.report import figures
from drifa.report.calibrated import calibrated_bins
from drifa.report.data_link import data_link
from drifa.report.judged import judged_tasks
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """A figure per task of classes, and one after calibration where that was learned; None for a run without such tasks."""
    if not files.expects("classes"):
        return None
    tasks = []
    for task in judged_tasks(files, "classes"):
        used = figures.reliability_rows(task.detail.get("reliability") or [])
        if used:
            after = figures.reliability_rows(calibrated_bins(task, files))
            diagrams = [_diagram(task.name, "", used), *([_diagram(task.name, " after calibration", after)] if after else [])]
            tasks.append({"name": task.name, "mode": task.detail_mode, "diagrams": diagrams})
    return {"evaluated": files.evaluation is not None, "tasks": tasks}


def _diagram(task: str, when: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "when": when,
        "figure": figures.reliability_diagram(f"Share right by stated confidence in {task}{when}", rows),
        "rows": rows,
        "data": data_link(f"{task}-reliability{when}", rows),
    }
