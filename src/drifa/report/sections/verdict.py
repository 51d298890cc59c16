"""The first screen: alarms, one sentence per task, headline figures beside what it costs nothing to reach."""

from __future__ import annotations

from typing import Any

from drifa.metrics.names import HEADLINES
from drifa.report import about, figures, verdicts
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.operating import in_use
from drifa.report.sections import cases
from drifa.report.sections.metrics import cell, words_of
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any]:
    """Alarms, and the headline of each task in its most thorough mode."""
    receipt, evaluation = files.receipt or {}, about.evaluation(files)
    tasks = [task for task in judged_tasks(files) if task.modes]
    return {
        "shared": receipt.get("groups_in_two_splits"),
        "sharing": (receipt.get("subjects_sharing_a_group_with_train") or {}).get("test"),
        "study": about.study(files)["name"],
        "judged_on": evaluation["study"],
        "resamples": evaluation["resamples"],
        "measured": bool(files.metrics),
        "tasks": [_headline(task, files) for task in tasks],
        # A volume is judged voxel by voxel, and its interval needs words of its own.
        "of_subjects": any(task.kind != "regions" for task in tasks),
        "of_volumes": any(task.kind == "regions" for task in tasks),
    }


def _headline(task: JudgedTask, files: RunFiles) -> dict[str, Any]:
    least = verdicts.baseline(task)
    return {
        **task.title,
        "verdict": verdicts.verdict(task, files),
        "in_use": in_use(task, files),
        "examples": cases.examples(task, files),
        "cards": [_card(task, metric, least) for metric in _headline_metrics(task)],
        "mode": task.describe(task.modes[0]),
        "baseline": f"always answering {least.answer}" if least else "",
    }


def _headline_metrics(task: JudgedTask) -> list[str]:
    if task.kind == "regions":
        return [f"dice_{region}" for region in task.regions]
    return [metric for metric in HEADLINES[task.kind] if metric in task.best]


def _card(task: JudgedTask, metric: str, least: verdicts.Baseline | None) -> dict[str, Any]:
    words, interval = words_of(task, metric), task.best.get(metric)
    region = f", {metric.removeprefix('dice_')}" if task.kind == "regions" else ""
    tick = least.values.get(metric) if least else None
    # The bar is a scale from 0 to 1: it is for what cannot lie elsewhere.
    bar = figures.interval_bar(interval or {}, tick) if words.bounds == (0, 1) else None
    without = cell(task, metric, {"value": tick})["text"] if tick is not None else ""
    return {"label": f"{words.label}{region}", **cell(task, metric, interval), "bar": bar, "baseline": without}
