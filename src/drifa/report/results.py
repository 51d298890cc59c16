"""What the report says about the test results, task by task: headline, metrics, classes and figures."""

from __future__ import annotations

import math
from typing import Any

from drifa.metrics.names import GROUPS, HEADLINE, PARTNER_METRICS, metric_words
from drifa.report import figures, words
from drifa.report.cases import partner_flips, single_cases
from drifa.runs.files import RunFiles
from drifa.uncertainty.modes import MODE_NAMES, mode_order, mode_words

SUBSET_METRICS = ("accuracy", "balanced_accuracy", "auc")


def about(files: RunFiles) -> dict[str, Any] | None:
    """The head of ``evaluation.json``, None for what it does not say; None as a whole before ``drifa evaluate``."""
    if files.evaluation is None:
        return None
    return {key: files.evaluation.get(key) for key in ("study", "split", "subjects", "partners", "resamples")}


def task_results(files: RunFiles) -> list[dict[str, Any]]:
    """One dict per task of ``metrics.json`` or ``evaluation.json``, ready for the template."""
    metrics, evaluation = files.metrics or {}, files.evaluation or {}
    judged = evaluation.get("tasks", {})
    tasks = [*metrics, *(task for task in judged if task not in metrics)]
    return [_task(task, metrics.get(task, {}), judged.get(task, {}), files) for task in tasks]


def modes(tasks: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The modes that any of the tasks has figures for, each once."""
    every = {mode["key"]: mode for task in tasks for mode in task["modes"]}
    return [every[key] for key in mode_order(every)]


def _task(name: str, metrics: dict[str, Any], judged: dict[str, Any], files: RunFiles) -> dict[str, Any]:
    evaluation = files.evaluation or {}
    members, passes = evaluation.get("members"), evaluation.get("passes")
    modes = mode_order(metrics)
    details = judged.get("modes", {})
    detail_mode = next(iter(mode_order(details)), None)
    detail = details.get(detail_mode, {})
    curves = {mode: details[mode]["risk_coverage"] for mode in mode_order(details) if details[mode].get("risk_coverage")}
    bins = detail.get("reliability") or []
    classes = judged.get("classes") or [row["class"] for row in detail.get("per_class", [])]
    confusion = detail.get("confusion")
    return {
        "name": name,
        "count": judged.get("count"),
        "groups": judged.get("groups"),
        "modalities": judged.get("modalities", []),
        "classes": classes,
        "floor": _floor(classes, confusion),
        "modes": mode_names(modes, evaluation),
        "headline": _headline(metrics, modes),
        "metric_groups": _metric_groups(metrics, modes),
        "partner_rows": _metric_rows(metrics, modes, _partner_names(metrics)),
        "detail_mode": _mode(detail_mode, members, passes) if detail_mode else None,
        "per_class": detail.get("per_class") or [],
        "confusion": _confusion(classes, confusion),
        "bins": [row for row in bins if row["count"]],
        "reliability": figures.reliability_diagram(bins) if any(row["count"] for row in bins) else None,
        "coverage": figures.coverage_curves(curves) if curves else None,
        "curves": [_mode(mode, members, passes) for mode in curves],
        "cases": single_cases(name, files),
        "flips": partner_flips(name, files),
        "subset_columns": ["Images", *(metric_words(metric).label for metric in SUBSET_METRICS)],
        "subsets": _subsets((evaluation.get("subsets") or {}).get(name, {})),
        "nats": math.log(len(classes)) if len(classes) > 1 else None,
    }


def mode_names(modes: list[str], evaluation: dict[str, Any]) -> list[dict[str, str]]:
    """What the modes are called, for the template."""
    return [_mode(mode, evaluation.get("members"), evaluation.get("passes")) for mode in modes]


def _mode(mode: str, members: Any, passes: Any) -> dict[str, str]:
    return {
        "of_first": mode_words(mode, members, passes, first_only=True),
        "key": mode,
        "name": MODE_NAMES.get(mode, mode),
        "how": mode_words(mode, members, passes),
        "style": figures.mode_style(mode),
    }


def _headline(metrics: dict[str, Any], modes: list[str]) -> list[dict[str, Any]]:
    if not modes:
        return []
    best = metrics[modes[0]]
    return [
        {"words": metric_words(name), **words.written(name, best[name]), "bar": figures.interval_bar(best[name] or {})}
        for name in HEADLINE
        if name in best
    ]


def _subsets(subsets: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table of subsets, the largest subset first; a single one says nothing that the other parts do not."""
    if len(subsets) < 2:
        return []
    most_first = sorted(subsets, key=lambda name: -name.count("+"))
    return [
        {
            "subset": name,
            "cells": [
                {"text": words.whole(subsets[name].get("count")), "range": ""},
                *(words.written(metric, subsets[name].get(metric)) for metric in SUBSET_METRICS),
            ],
        }
        for name in most_first
    ]


def _metric_rows(metrics: dict[str, Any], modes: list[str], names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "key": name,
            "words": metric_words(name),
            "cells": [words.written(name, metrics[mode].get(name)) for mode in modes],
        }
        for name in names
    ]


def _metric_groups(metrics: dict[str, Any], modes: list[str]) -> list[dict[str, Any]]:
    present = list(dict.fromkeys(name for mode in modes for name in metrics[mode]))
    known = {name for group in GROUPS.values() for name in group} | set(PARTNER_METRICS)
    groups = {title: [name for name in group if name in present] for title, group in GROUPS.items()}
    groups["Further figures"] = [name for name in present if name not in known]
    return [{"title": title, "rows": _metric_rows(metrics, modes, names)} for title, names in groups.items() if names]


def _partner_names(metrics: dict[str, Any]) -> list[str]:
    """The partner metrics that the run has, with the plain accuracies first, to compare."""
    found = [name for name in PARTNER_METRICS if any(name in of_mode for of_mode in metrics.values())]
    compare = [name for name in ("accuracy", "balanced_accuracy") if f"{name}_alone" in found]
    return compare + found


def _floor(classes: list[str], confusion: list[list[float]] | None) -> dict[str, Any] | None:
    """What always answering the most common class would score: the least that a model must beat."""
    support = [sum(row) for row in confusion or []]
    if len(support) != len(classes) or not sum(support):
        return None
    most = max(support)
    return {
        "class": classes[support.index(most)],
        "accuracy": words.share(most / sum(support)),
        "balanced": words.share(1 / sum(n > 0 for n in support)),
    }


def _confusion(classes: list[str], confusion: list[list[float]] | None) -> list[dict[str, Any]]:
    if not confusion or len(confusion) != len(classes):
        return []
    rows = []
    for name, counts in zip(classes, confusion, strict=True):
        total = sum(counts)
        parts = [count / total if total else 0.0 for count in counts]
        rows.append({"class": name, "total": total, "cells": list(zip(counts, parts, strict=True))})
    return rows
