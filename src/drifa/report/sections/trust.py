"""What `drifa calibrate` found on the test split: probabilities before and after, sets, cases referred, strangers."""

from __future__ import annotations

from typing import Any

from drifa.metrics.names import metric_words
from drifa.report import words
from drifa.report.sections.data import SPLIT_NAMES
from drifa.report.verdicts import FEW_GROUPS
from drifa.runs.files import RunFiles

#: Begins the note on why calibration learned no bar, which more of the same would not mend.
NO_BAR = "no bar for abstention"


def record(files: RunFiles) -> dict[str, Any] | None:
    """Task by task; None for a run without classes."""
    if not files.expects("classes"):
        return None
    told = files.calibration or {}
    tests = told.get("test") or {}
    learned = told.get("tasks") or {}
    return {
        "calibrated": files.calibration is not None,
        "source": SPLIT_NAMES.get(str(told.get("source", "val")), "calibration"),
        "tasks": [_task(name, found, learned.get(name) or {}) for name, found in tests.items()],
        "partial": [
            _partial(task, subset, found)
            for subset, tasks in (told.get("test_subsets") or {}).items()
            if isinstance(tasks, dict)
            for task, found in tasks.items()
            if isinstance(found, dict)
        ],
        "strangers": [
            {
                "modality": modality,
                "rate": words.share(found.get("rate")),
                **words.written_as("share", found.get("false_alarms")),
            }
            for modality, found in (told.get("strangers") or {}).items()
            if isinstance(found, dict)
        ],
    }


def _task(name: str, found: dict[str, Any], learned: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "notes": [str(note) for note in found.get("notes") or []],
        "level": words.share((learned.get("sets") or {}).get("level"), 0),
        "calibration": [
            {
                "label": metric_words(metric).label,
                **{
                    part: words.written_as(metric_words(metric).style, row.get(part))
                    for part in ("before", "after", "difference")
                },
            }
            for metric, row in (found.get("calibration") or {}).items()
        ],
        "coverage": [_set_row(row) for row in found.get("coverage") or []],
        "no_bar": any(str(note).startswith(NO_BAR) for note in found.get("notes") or []),
        "abstention": [_abstention_row(row) for row in found.get("abstention") or []],
    }


def _partial(task: str, subset: str, found: dict[str, Any]) -> dict[str, Any]:
    """What the calibration of a task is worth on cases that have no more than a subset of the modalities."""
    sets: dict[str, Any] = next(iter(found.get("coverage") or []), {})
    answered: dict[str, Any] = next(iter(found.get("abstention") or []), {})
    error = ((found.get("calibration") or {}).get("ece") or {}).get("after")
    return {
        **_who(f"{task}, from {subset.replace('+', ' and ')} alone", sets or answered),
        "ece": words.written_as(metric_words("ece").style, error),
        "holds": words.written_as("share", sets.get("coverage")),
        "coverage": words.written_as("share", answered.get("coverage")),
        "risk": words.written_as("share", answered.get("risk")),
    }


def _set_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **_who(row.get("class"), row),
        "coverage": words.written_as("share", row.get("coverage")),
        "size": words.written_as("unit", row.get("size")),
        "single": words.written_as("share", row.get("single")),
    }


def _abstention_row(row: dict[str, Any]) -> dict[str, Any]:
    name = f"{row.get('by')}: {row.get('value')}" if row.get("by") else None
    return {
        **_who(name, row),
        **{part: words.written_as("share", row.get(part)) for part in ("coverage", "risk", "risk_of_all")},
    }


def _who(name: str | None, row: dict[str, Any]) -> dict[str, Any]:
    groups = row.get("groups")
    return {
        "who": name or "All",
        "images": words.whole(row.get("images")),
        "few": isinstance(groups, int) and groups < FEW_GROUPS,
        "groups": words.whole(groups),
    }
