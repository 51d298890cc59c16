"""What the report says about segmented volumes, task by task."""

from __future__ import annotations

from typing import Any

import pandas as pd

from drifa.metrics.names import VOLUME_METRICS
from drifa.report import figures, words
from drifa.report.results import mode_names
from drifa.runs.files import RunFiles
from drifa.uncertainty.modes import mode_order

#: Rows of the table of subjects, the worst first.
MOST_SUBJECTS = 50


def task_volumes(files: RunFiles) -> list[dict[str, Any]]:
    """One dict per task of ``metrics.json``, ready for the template."""
    metrics, evaluation = files.metrics or {}, files.evaluation or {}
    return [_task(task, found, evaluation, files.volumes) for task, found in metrics.items()]


def _task(name: str, metrics: dict[str, Any], evaluation: dict[str, Any], table: pd.DataFrame | None) -> dict[str, Any]:
    modes = mode_order(metrics)
    best = metrics[modes[0]] if modes else {}
    regions = [metric.removeprefix("hd95_") for metric in best if metric.startswith("hd95_")]
    rows = table[(table["task"] == name) & (table["mode"] == modes[0])] if table is not None and modes else None
    return {
        "name": name,
        "regions": regions,
        "modes": mode_names(modes, evaluation),
        "headline": [
            {"label": f"Dice, {region}", **_cell("dice", best, region), "bar": figures.interval_bar(best[f"dice_{region}"])}
            for region in regions
        ],
        "metric_groups": [{"title": region, "rows": _rows(metrics, modes, region)} for region in regions],
        "subset_columns": [f"Dice, {region}" for region in regions],
        "subsets": _subsets(evaluation.get("subsets", {}).get(name, {}), regions),
        "subjects": _subjects(rows) if rows is not None else [],
        "count": rows["subject"].nunique() if rows is not None else None,
        "strip": figures.dice_strip(_by_region(rows)) if rows is not None and len(rows) else None,
    }


def _cell(metric: str, found: dict[str, Any], region: str) -> dict[str, str]:
    return words.written_as(VOLUME_METRICS[metric].style, found.get(f"{metric}_{region}"))


def _rows(metrics: dict[str, Any], modes: list[str], region: str) -> list[dict[str, Any]]:
    return [
        {"key": f"{metric}_{region}", "words": told, "cells": [_cell(metric, metrics[mode], region) for mode in modes]}
        for metric, told in VOLUME_METRICS.items()
        if f"{metric}_{region}" in metrics[modes[0]]
    ]


def _subsets(subsets: dict[str, Any], regions: list[str]) -> list[dict[str, Any]]:
    most_first = sorted(subsets, key=lambda name: -name.count("+"))
    return [{"subset": name, "cells": [_cell("dice", subsets[name], region) for region in regions]} for name in most_first]


def _by_region(rows: pd.DataFrame) -> dict[str, list[float]]:
    means = rows.groupby(["region", "subject"], sort=False)["dice"].mean()
    return {str(region): values.tolist() for region, values in means.groupby("region", sort=False)}


def _subjects(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over members, the worst subject first."""
    figures_of = ["dice", "sensitivity", "hd95", "truth_ml", "predicted_ml"]
    each = rows.groupby(["subject", "region"], sort=False)[figures_of].mean()
    worst = each["dice"].groupby("subject", sort=False).mean().sort_values(kind="stable").index[:MOST_SUBJECTS]
    return [
        {
            "subject": subject,
            "rows": [{"region": region, **row} for region, row in each.loc[subject].to_dict(orient="index").items()],
        }
        for subject in worst
    ]
