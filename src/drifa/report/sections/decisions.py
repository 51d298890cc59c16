"""Whether acting on the model's answers is worth more than acting on everybody, or on nobody."""

from __future__ import annotations

from typing import Any

import numpy as np

from drifa.metrics.decisions import decision_curves
from drifa.report.answers import class_answers, who_answered
from drifa.report.data_link import data_link
from drifa.report.decision_figures import decision_figure
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.verdicts import FEW_GROUPS
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """A figure per class of each task of classes, the rarest first; None where probabilities were not recorded."""
    tasks = [told for task in judged_tasks(files, "classes") if (told := _task(task, files)) is not None]
    return {"tasks": tasks} if tasks else None


def _task(task: JudgedTask, files: RunFiles) -> dict[str, Any] | None:
    answers = class_answers(task.name, task.classes, files)
    if answers is None or "group" not in answers[0] or not answers[0]["label"].isin(task.classes).all():
        return None
    table, p = answers
    said = files.evaluation or {}
    resamples, seed = int(said.get("resamples") or 1000), int(said.get("seed") or 0)
    groups = table["group"].to_numpy()
    labels = np.array([task.classes.index(name) for name in table["label"]])
    found: list[dict[str, Any]] = []
    for name, points in zip(task.classes, decision_curves(labels, p, groups, resamples=resamples, seed=seed), strict=True):
        truth = (table["label"] == name).to_numpy()
        if not truth.any() or truth.all():
            continue
        count = int(table["group"][truth].nunique())
        figure = decision_figure(f"Net benefit of acting on {name} in {task.name}", points)
        rows = [{"class": name, **point} for point in points]
        told = {"images": int(truth.sum()), "groups": count, "few": count < FEW_GROUPS, "figure": figure}
        found.append({"class": name, **told, "data": data_link(f"{task.name}-{name}-net-benefit", rows)})
    if not found:
        return None
    rarest = min(found, key=lambda row: row["images"])
    return {
        "name": task.name,
        **who_answered(table),
        "rarest": rarest,
        "others": [row for row in found if row is not rarest] if len(task.classes) > 2 else [],
    }
