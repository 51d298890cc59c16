"""How the predicted numbers lie against the truth."""

from __future__ import annotations

import math
from typing import Any

from drifa.report import number_figures
from drifa.report.data_link import data_link
from drifa.report.judged import judged_tasks
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """A figure per task of numbers, of the most thorough mode; None for a run without such tasks."""
    if not files.expects("number"):
        return None
    tasks = []
    for task in judged_tasks(files, "number"):
        points = [point for point in task.detail.get("scatter") or [] if _finite(point)]
        if points:
            figure = number_figures.truth_scatter(points, task.unit)
            has_std = any(std is not None for _, _, std in points)
            rows = [dict(zip(("truth", "predicted", "std"), point, strict=True)) for point in points]
            shown = {"shown": len(points), "has_std": has_std, "data": data_link(f"{task.name}-predictions", rows)}
            tasks.append({**task.title, "mode": task.detail_mode, "count": task.count, "figure": figure, **shown})
    return {"evaluated": files.evaluation is not None, "tasks": tasks}


def _finite(point: list[Any]) -> bool:
    return all(isinstance(number, int | float) and math.isfinite(number) for number in point[:2])
