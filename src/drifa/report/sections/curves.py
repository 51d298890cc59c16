"""What is found against what is falsely called, as the bar on each class's probability falls."""

from __future__ import annotations

from typing import Any

from drifa.report import class_figures, words
from drifa.report.answers import class_answers, who_answered
from drifa.report.data_link import data_link
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """Two figures per task of classes; None where probabilities were not recorded."""
    tasks = [told for task in judged_tasks(files, "classes") if (told := _task(task, files)) is not None]
    return {"tasks": tasks} if tasks else None


def _task(task: JudgedTask, files: RunFiles) -> dict[str, Any] | None:
    answers = class_answers(task.name, task.classes, files)
    if answers is None:
        return None
    table, p = answers
    roc, precision = {}, {}
    legend: list[dict[str, str]] = []
    for number, name in enumerate(task.classes):
        truth = (table["label"] == name).to_numpy()
        if not truth.any() or truth.all():
            continue
        roc[name] = class_figures.roc_points(truth, p[:, number])
        precision[name] = class_figures.precision_points(truth, p[:, number])
        average = class_figures.average_precision(truth, p[:, number])
        told = {"average": words.number(average), "share": words.share(float(truth.mean()))}
        legend.append({"class": name, "style": class_figures.class_style(len(legend)), **told})
    if not roc:
        return None
    return {
        "name": task.name,
        **who_answered(table),
        "roc": class_figures.curves(
            f"Receiver operating characteristic of {task.name}", roc, "share of the others falsely called", diagonal=True
        ),
        "precision": class_figures.curves(
            f"Precision and recall of {task.name}", precision, "share of the class that is found", diagonal=False
        ),
        "legend": legend,
        "roc_data": data_link(f"{task.name}-roc", _rows(roc, "falsely_called", "found")),
        "precision_data": data_link(f"{task.name}-precision-recall", _rows(precision, "found", "precision")),
    }


def _rows(lines: dict[str, list[tuple[float, float]]], across: str, up: str) -> list[dict[str, Any]]:
    return [{"class": name, across: x, up: y} for name, points in lines.items() for x, y in points]
