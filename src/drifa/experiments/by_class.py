"""Class by class: the share of each class that an arm finds, and how far the first arm's lies from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from drifa.experiments.answers import Answers, CaseMeans
from drifa.experiments.comparison import ClassResult
from drifa.experiments.telling import floored
from drifa.metrics.differences import paired
from drifa.metrics.intervals import bootstrap_draws
from drifa.metrics.weighted import Floats


def class_results(answers: Mapping[str, Mapping[int, Mapping[str, Answers]]], resamples: int) -> list[ClassResult]:
    """One record per task, class that occurs, and arm.

    Args:
        answers: Arm -> seed -> task -> answers, all of the same cases. The first arm is the one that others are compared with.
        resamples: Of the bootstrap.
    """
    found = []
    first = next(iter(answers))
    every = (item for seeds in answers.values() for by_task in seeds.values() for item in by_task.items())
    for task, one in {task: own for task, own in every if own.classes}.items():
        drawn = {
            arm: {seed: _drawn(by_task[task], resamples) for seed, by_task in seeds.items() if task in by_task}
            for arm, seeds in answers.items()
        }
        for name in one.classes:
            cases = int((one.rows["label"] == name).sum())
            for arm, seeds in drawn.items() if cases else ():
                if not seeds:
                    continue
                difference = None
                both = [seed for seed in drawn[first] if seed in seeds]
                if arm != first and both:
                    a, b = (_mean(drawn[side][seed][name] for seed in both) for side in (first, arm))
                    difference = dict(floored(paired(*a, *b), len(np.unique(one.groups[one.rows["label"] == name]))))
                value = _mean(own[name] for own in seeds.values())[0]
                found.append(ClassResult(task, name, cases, arm, value, difference))  # type: ignore[arg-type]
    return found


def _drawn(own: Answers, resamples: int) -> dict[str, tuple[float, Floats]]:
    """Class -> the share of its cases that are found, on the full sample and on each resample; the same ones for all arms.

    The draws of a class of one group are NaN: it is drawn whole or not at all, so that its share never varies.
    """
    right, label = own.rows["correct"].to_numpy(dtype=np.float64), own.rows["label"].to_numpy()
    shares = CaseMeans({name: np.where(label == name, right, np.nan) for name in own.classes})
    drawn = bootstrap_draws([shares], own.groups, resamples)
    alone = {name for name in own.classes if len(np.unique(own.groups[label == name])) < 2}
    return {name: (value, np.full_like(draws, np.nan) if name in alone else draws) for name, (value, draws) in drawn.items()}


def _mean(each: Iterable[tuple[float, Floats]]) -> tuple[float, Floats]:
    values, draws = zip(*each, strict=True)
    return float(np.mean(values)), np.mean(draws, axis=0)
