"""Whether the stated probabilities are honest: the share right at each stated confidence."""

from __future__ import annotations

from typing import Any

from drifa.report import figures
from drifa.report.data_link import data_link
from drifa.report.judged import judged_tasks
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """A figure per task of classes, and the numbers behind it; None for a run without such tasks."""
    if not files.expects("classes"):
        return None
    tasks = []
    for task in judged_tasks(files, "classes"):
        bins = task.detail.get("reliability") or []
        used = [row for row in bins if row["count"]]
        if used:
            figure = figures.reliability_diagram(bins)
            data = data_link(f"{task.name}-reliability", bins)
            tasks.append({"name": task.name, "mode": task.detail_mode, "figure": figure, "bins": used, "data": data})
    return {"evaluated": files.evaluation is not None, "tasks": tasks}
