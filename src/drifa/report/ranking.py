"""How well each class of a task is told from the others, for the curves and for the first screen."""

from __future__ import annotations

import numpy as np

from drifa.metrics.ranked import RankedClass, ranked_classes
from drifa.report.answers import class_answers
from drifa.report.judged import JudgedTask
from drifa.runs.files import RunFiles


def ranking(task: JudgedTask, files: RunFiles, only: str | None = None) -> list[RankedClass | None]:
    """What :func:`drifa.metrics.ranked.ranked_classes` says of the answers that the report tells of.

    Args:
        task: Of classes.
        files: The run.
        only: The class that is looked at; None for all.

    Returns:
        One entry per class of the task, None for one that is not looked at, without limits where groups were not recorded;
        none where probabilities were not.
    """
    answers = class_answers(task.name, task.classes, files)
    if answers is None:
        return []
    table, p = answers
    said = files.evaluation or {}
    resamples, seed = int(said.get("resamples") or 1000), int(said.get("seed") or 0)
    # One group for all has no limits.
    groups = table["group"].to_numpy() if "group" in table else np.zeros(len(table), dtype=int)
    places = {name: number for number, name in enumerate(task.classes)}
    labels = np.array([places.get(name, -1) for name in table["label"]])
    return ranked_classes(labels, p, groups, resamples, seed, None if only is None else [places[only]])
