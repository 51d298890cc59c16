"""What the first screen says of a model in use: how much it finds at a specificity, and how many cases it refers."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from drifa.report import words
from drifa.report.judged import JudgedTask
from drifa.report.ranking import ranking
from drifa.runs.files import RunFiles

#: Share of the others that must not be called.
SPECIFICITY = 0.9


def class_told(task: JudgedTask) -> str | None:
    """The class that the first screen tells of: of two the second, the positive one; of several that with the lowest recall.

    Args:
        task: Of classes.

    Returns:
        Its name; None where nobody measured the recall of several.
    """
    if len(task.classes) == 2:
        return task.classes[1]
    recalls = {row["class"]: row["recall"] for row in task.detail.get("per_class") or [] if row.get("recall") is not None}
    return min(recalls, key=lambda name: recalls[name]) if recalls else None


def in_use(task: JudgedTask, files: RunFiles) -> str:
    """``Finds 62.0 % [50.1, 71.9] of melanoma at 90 % specificity. Refers 18.0 % [12.2, 25.0] of cases to a person.``

    Args:
        task: Of any kind.
        files: The run.

    Returns:
        One sentence, both, or none: each stands only where its numbers do.
    """
    return " ".join(part for part in (_found(task, files), _referred(task, files)) if part)


def _found(task: JudgedTask, files: RunFiles) -> str:
    name = class_told(task) if task.kind == "classes" else None
    if name not in task.classes:
        return ""
    ranked = next((one for one in ranking(task, files, only=name) if one is not None), None)
    if ranked is None:
        return ""
    told = words.with_limits("share", {**ranked.found_at(SPECIFICITY)})
    return f"Finds {told} of {name} at {SPECIFICITY:.0%} specificity.".replace("% spec", "\u00a0% spec")


def _referred(task: JudgedTask, files: RunFiles) -> str:
    """Of the abstention that was learned, as counted on the test split."""
    told = files.calibration or {}
    learned = ((told.get("tasks") or {}).get(task.name) or {}).get("abstention")
    rows = ((told.get("test") or {}).get(task.name) or {}).get("abstention") or []
    of_all: dict[str, Any] = next((row for row in rows if row.get("by") is None), {})
    answered = of_all.get("coverage") or {}
    if not learned or not _known(answered.get("value")):
        return ""
    ends = {"value": answered["value"], "low": answered.get("high"), "high": answered.get("low")}
    referred = {key: 1 - float(end) if _known(end) else None for key, end in ends.items()}
    return f"Refers {words.with_limits('share', referred)} of cases to a person."


def _known(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)
