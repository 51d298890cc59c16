"""Every metric of every task in every mode, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drifa.metrics.edges import RANKS
from drifa.metrics.names import (
    GROUPS,
    NUMBER_GROUPS,
    NUMBER_PARTNER_METRICS,
    PARTNER_METRICS,
    VOLUME_METRICS,
    Metric,
    metric_words,
)
from drifa.report import words
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.runs.files import RunFiles
from drifa.uncertainty.modes import mode_order

CAPTION = "Each figure{} with its 95 % interval underneath; a dash where it is not defined"


def record(files: RunFiles) -> dict[str, Any]:
    """The modes that any of the tasks has figures for, each once, and one table per task."""
    tasks = [task for task in judged_tasks(files) if task.modes]
    every = {mode: task.describe(mode) for task in tasks for mode in task.modes}
    return {
        "measured": bool(files.metrics),
        "modes": [every[mode] for mode in mode_order(every)],
        "tasks": [
            {
                **task.title,
                "caption": CAPTION.format(", region by region," if task.kind == "regions" else ""),
                "modes": [task.describe(mode) for mode in task.modes],
                "groups": _groups(task),
                # Each kind's figures are explained once.
                "meanings": all(before.kind != task.kind for before in tasks[:place]),
            }
            for place, task in enumerate(tasks)
        ],
    }


def metric_rows(task: JudgedTask, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """One row per metric, a cell per mode."""
    return [
        {
            "key": metric,
            "words": words_of(task, metric),
            "cells": [cell(task, metric, task.metrics[mode].get(metric)) for mode in task.modes],
        }
        for metric in metrics
    ]


def cell(task: JudgedTask, metric: str, interval: dict[str, Any] | None) -> dict[str, str]:
    """A figure of a task as it is printed, in the unit of the task where it has one."""
    written = words.written_as(words_of(task, metric).style, interval, task.unit)
    told = interval or {}
    if metric in RANKS and told.get("value") in (0, 1) and told.get("low") is None:
        written["range"] = "no interval: no resample ranks otherwise"
    return written


def words_of(task: JudgedTask, metric: str) -> Metric:
    """The row of a metric; of volumes, the region's name follows the metric's and is not part of the words."""
    if task.kind == "regions":
        named = [name for name in VOLUME_METRICS if any(metric == f"{name}_{region}" for region in task.regions)]
        metric = named[0] if named else metric
    return metric_words(metric, task.kind)


def _groups(task: JudgedTask) -> list[dict[str, Any]]:
    if task.kind == "regions":
        # The mean over regions is not told: each region is.
        groups = {
            region: [f"{metric}_{region}" for metric in VOLUME_METRICS if f"{metric}_{region}" in task.best]
            for region in task.regions
        }
    else:
        known = NUMBER_GROUPS if task.kind == "number" else GROUPS
        groups = {title: [metric for metric in group if metric in task.measured] for title, group in known.items()}
        placed = {*PARTNER_METRICS, *NUMBER_PARTNER_METRICS}.union(*known.values())
        groups["Further figures"] = [metric for metric in task.measured if metric not in placed]
    return [{"title": title, "rows": metric_rows(task, metrics)} for title, metrics in groups.items() if metrics]
