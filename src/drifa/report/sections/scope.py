"""What the model is and is not for, with links to the sections that say how much."""

from __future__ import annotations

from typing import Any

from drifa.metrics.names import Kind
from drifa.report import about
from drifa.report.judged import judged_tasks
from drifa.report.sections import partners, ranges, subsets
from drifa.report.sections.metrics import cell
from drifa.report.statements import statements
from drifa.runs.files import RunFiles

#: What is given for any picture, even one of something else.
ANSWERS: dict[Kind, str] = {"classes": "one of its classes", "number": "a number"}
#: The metric of an image alone that is told, and its words.
ALONE: dict[Kind, tuple[str, str]] = {"classes": ("accuracy_alone", "accuracy"), "number": ("mae_alone", "the mean error")}


def record(files: RunFiles) -> dict[str, Any]:
    """What the kinds of its tasks, its modalities and its partners warn of."""
    return {
        "study": about.study(files)["name"],
        "partners": about.evaluation(files)["partners"],
        "statements": statements(files, "scope"),
        "several_modalities": len(about.network(files)["modalities"]) > 1,
        "answers": " and ".join(answer for kind, answer in ANSWERS.items() if files.expects(kind)),
        "alone": _alone(files),
        "has_classes": files.expects("classes"),
        "has_ranges": ranges.record(files) is not None,
        "has_regions": files.expects("regions"),
        "has_partners": partners.record(files) is not None,
        "has_subsets": subsets.record(files) is not None,
    }


def _alone(files: RunFiles) -> list[dict[str, str]]:
    """Task by task, how good the answer is from an image alone, in the most thorough mode."""
    found = []
    for task in judged_tasks(files, *ALONE):
        metric, words = ALONE[task.kind]
        if metric in task.measured:
            found.append({"task": task.name, "words": words, **cell(task, metric, task.best.get(metric))})
    return found
