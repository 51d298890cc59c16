"""What is found against what is falsely called, as the bar on each class's probability falls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drifa.metrics.intervals import Interval
from drifa.metrics.ranked import STEPS
from drifa.report import class_figures, words
from drifa.report.answers import class_answers, who_answered
from drifa.report.class_figures import Curve
from drifa.report.data_link import data_link
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.ranking import ranking
from drifa.runs.files import RunFiles

#: Curves that all have their band drawn; of more, only that of the class which is ranked worst.
MOST_BANDS = 3


def record(files: RunFiles) -> dict[str, Any] | None:
    """Two figures per task of classes; None where probabilities were not recorded."""
    tasks = [told for task in judged_tasks(files, "classes") if (told := _task(task, files)) is not None]
    return {"tasks": tasks} if tasks else None


def _task(task: JudgedTask, files: RunFiles) -> dict[str, Any] | None:
    answers = class_answers(task.name, task.classes, files)
    if answers is None:
        return None
    table, p = answers
    roc: dict[str, Curve] = {}
    precision: dict[str, Curve] = {}
    legend: list[dict[str, Any]] = []
    areas: dict[str, float] = {}
    for number, (name, ranked) in enumerate(zip(task.classes, ranking(task, files), strict=True)):
        if ranked is None:
            continue
        areas[name] = ranked.auc["value"] or 0.0
        truth = (table["label"] == name).to_numpy()
        found = ranked.found_at(0.9)
        half = ranked.precision[STEPS.index(0.5) - 1]
        roc[name] = Curve(
            class_figures.roc_points(truth, p[:, number]),
            _band(STEPS, ranked.found),
            f"AUC {_told(ranked.auc)}; found where at most 10 % of the others are falsely called: {_told(found, 'share')}",
        )
        precision[name] = Curve(
            class_figures.precision_points(truth, p[:, number]),
            _band(STEPS[1:], ranked.precision),
            f"average precision {_told(ranked.average_precision)}; right where half the class is found: {_told(half, 'share')}",
        )
        legend.append(
            {
                "class": name,
                "style": class_figures.class_style(len(legend)),
                "auc": words.written_as("number", {**ranked.auc}),
                "average": words.written_as("number", {**ranked.average_precision}),
                "share": words.share(float(truth.mean())),
            }
        )
    if not roc:
        return None
    # More would hide each other; the data have all of them.
    bands = list(roc) if len(roc) <= MOST_BANDS else [min(areas, key=lambda name: areas[name])]
    return {
        "name": task.name,
        **who_answered(table),
        "roc": class_figures.curves(
            f"Receiver operating characteristic of {task.name}",
            roc,
            "share of the others falsely called",
            diagonal=True,
            bands=bands,
        ),
        "precision": class_figures.curves(
            f"Precision and recall of {task.name}", precision, "share of the class that is found", diagonal=False, bands=bands
        ),
        "legend": legend,
        "banded": ""
        if not any(curve.band for curve in roc.values())
        else f" of {bands[0]}"
        if len(bands) < len(roc)
        else " of each",
        "roc_data": data_link(f"{task.name}-roc", _rows(roc, "falsely_called", "found")),
        "precision_data": data_link(f"{task.name}-precision-recall", _rows(precision, "found", "precision")),
    }


def _band(places: Sequence[float], limits: Sequence[Interval]) -> list[tuple[float, float, float]]:
    return [
        (place, limit["low"], limit["high"])
        for place, limit in zip(places, limits, strict=True)
        if limit["low"] is not None and limit["high"] is not None
    ]


def _told(interval: Interval, style: str = "number") -> str:
    told = words.written_as(style, {**interval})
    limits = told["range"].replace("\u2009–\u2009", " to ")
    return f"{told['text']} ({limits})" if limits else told["text"]


def _rows(lines: dict[str, Curve], across: str, up: str) -> list[dict[str, Any]]:
    return [
        {"class": name, **row} for name, curve in lines.items() for row in class_figures.banded(curve, across=across, up=up)
    ]
