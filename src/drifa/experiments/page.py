"""A comparison as one self-contained page, in the style of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drifa.experiments import figures
from drifa.experiments.comparison import Comparison, Contrast
from drifa.experiments.tables import CLASSES, class_rows, gigabytes, subset_rows
from drifa.experiments.verdict import amount, unit_of, words_of, written
from drifa.metrics.names import Style
from drifa.report.words import duration, number
from drifa.report.write import page_environment


def page(found: Comparison) -> str:
    """The HTML page: the verdict, differences, what each arm reached and cost, learning curves, cases."""
    return (
        page_environment()
        .get_template("compare.jinja")
        .render(
            found=found,
            about_classes=CLASSES,
            splits=", ".join(value[:12] for value in found.splits.values()),
            forests=_forests(found),
            contrasts=[_contrast(found, contrast) for contrast in found.contrasts],
            arms=[_arm(arm) for arm in found.arms],
            tasks=[_task(found, task) for task in found.tasks],
            curves=_curves(found),
            unfinished=[job for job in found.jobs if job.state != "finished"],
        )
    )


def _style(found: Comparison, metric: str, task: str) -> Style:
    return words_of(metric, found.tasks[task].kind).style  # type: ignore[arg-type]


def _forests(found: Comparison) -> list[dict[str, Any]]:
    """A forest plot for each way in which differences are written: points are not seconds, nor nats."""
    kept: dict[tuple[Style, str], list[Contrast]] = {}
    for contrast in found.contrasts:
        style = _style(found, contrast.metric, contrast.tasks[0])
        kept.setdefault((style, unit_of(style, found.tasks[contrast.tasks[0]].unit)), []).append(contrast)
    shown = []
    for (style, unit), contrasts in kept.items():
        labels = [f"{one.a} - {one.b}, {one.metric}, {' + '.join(one.tasks)}" for one in contrasts]
        figure = figures.forest(contrasts, labels, style, unit)
        if figure:
            shown.append({"figure": figure, "unit": unit.strip() or "numbers as they are"})
    return shown


def _contrast(found: Comparison, contrast: Contrast) -> dict[str, Any]:
    style, own = _style(found, contrast.metric, contrast.tasks[0]), contrast.difference
    unit = found.tasks[contrast.tasks[0]].unit
    return {
        "name": f"{contrast.a} - {contrast.b}",
        "tasks": " + ".join(contrast.tasks),
        "metric": contrast.metric,
        "value": amount(own["value"], style, unit),
        "range": f"{written(own['low'], style)} to {written(own['high'], style)}",
        "by_seed": ", ".join(written(value, style) for value in contrast.by_seed.values()),
        "p": number(own["p"]),
        "adjusted": "primary" if contrast.primary else f"Holm {number(contrast.adjusted)}",
        "detectable": amount(own["detectable"], style, unit, sign=False),
    }


def _arm(arm: Any) -> dict[str, Any]:
    return {
        "name": arm.name,
        "sets": ", ".join(arm.sets),
        "seeds": ", ".join(map(str, arm.seeds)) or "–",
        "parameters": arm.parameters,
        "macs": number(None if arm.macs is None else arm.macs / 1e6, 1),
        "time": "–" if arm.seconds is None else duration(arm.seconds),
        "memory": gigabytes(arm.memory),
    }


def _task(found: Comparison, task: str) -> dict[str, Any]:
    metrics: dict[str, Mapping[str, Any]] = {}
    for result in (result for result in found.results if result.task == task):
        style = _style(found, result.metric, task)
        row = metrics.setdefault(result.metric, {"style": style, "results": [], "cells": {}})
        row["results"].append(result)
        row["cells"][result.arm] = figures.told(result, style) | {"over": result.over}
    rows = []
    for name, row in metrics.items():
        figure = figures.against_cost(row["results"], found.arms, row["style"], name)
        meaning = words_of(name, found.tasks[task].kind).meaning  # type: ignore[arg-type]
        rows.append({"metric": name, "meaning": meaning, "cells": row["cells"], "figure": figure})
    cases = [case for case in found.cases if case.task == task]
    over = sorted({result.over for result in found.results if result.task == task})
    about = {"about": found.tasks[task], "over": over, "subsets": subset_rows(found, task), "classes": class_rows(found, task)}
    return {"name": task, "rows": rows, "cases": cases, **about}


def _curves(found: Comparison) -> list[dict[str, Any]]:
    limits = figures.loss_limits(found.curves)
    shown = []
    for arm in found.arms:
        own = {name: rows for name, rows in found.curves.items() if name.rpartition("-s")[0] == arm.name}
        if own:
            shown.append({"arm": arm.name, "figure": figures.learning(own, arm.name, limits)})
    return shown
