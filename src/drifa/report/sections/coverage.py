"""What is gained by leaving uncertain images to a person: accuracy by the share of images kept."""

from __future__ import annotations

from typing import Any

from drifa.report import figures
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
            tasks.append({"name": task.name, "figure": figures.coverage_curves(curves), "modes": modes})
    return {"evaluated": files.evaluation is not None, "tasks": tasks}
