"""Which groups of the test set tell two arms apart, and the least chance that so many leave."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from drifa.experiments.answers import Answers
from drifa.metrics.differences import Difference
from drifa.metrics.resampling import BLOCK

#: Chance of a false finding that is taken.
ALPHA = 0.05
STARRED = (
    "A star: the two differ in fewer than six groups of the test set, which all favour one by chance more often than once in "
    "twenty, so that nothing is told, whatever the interval says."
)
#: Groups that are enough: their differences all fall to one side by a chance of 1 in 1024.
ENOUGH = 11


def least_p(groups: int) -> float:
    """The smallest two-sided p of so many independent groups.

    Where neither arm is better, each group favours one or the other like a coin: all of them one and the same by a chance of
    ``2 ** (1 - groups)``. Resamples of few groups do not know that, and give p-values far below it.

    References:
        Fisher, The Design of Experiments, 1935, section 21.

    Examples:
        >>> least_p(5), least_p(6), least_p(0)
        (0.0625, 0.03125, 1.0)
    """
    return min(1.0, 2.0 ** (1 - groups))


def floored(difference: Difference, groups: int) -> Difference:
    """A difference whose p is not below what so many groups that tell two arms apart allow."""
    return difference if difference["p"] is None else {**difference, "p": max(difference["p"], least_p(groups))}


def star(groups: int) -> str:
    """What marks a difference of too few groups in a table; see :data:`STARRED`."""
    return " *" if least_p(groups) >= ALPHA else ""


def telling_groups(first: Sequence[Answers], second: Sequence[Answers], metrics: Collection[str]) -> dict[str, set[str]]:
    """Metric -> groups whose exchange between two arms changes it: those that tell one arm from the other.

    Args:
        first: Of one arm, one per seed.
        second: Of another, of the same cases and seeds.
        metrics: Those to look at.

    Returns:
        Of each of them that is defined; once there are :data:`ENOUGH`, not all that there are.
    """
    found: dict[str, set[str]] = {}
    for a, b in zip(first, second, strict=True):
        for metric, names in _of_one(a, b, metrics).items():
            found.setdefault(metric, set()).update(names)
        if _enough(found, metrics):
            break
    return found


def _enough(found: Mapping[str, set[str]], metrics: Collection[str]) -> bool:
    return all(len(found.get(metric, ())) >= ENOUGH for metric in metrics)


def _of_one(a: Answers, b: Answers, metrics: Collection[str]) -> Mapping[str, set[str]]:
    names, index = np.unique(a.groups, return_inverse=True)
    both = a.judged(pd.concat([a.rows, b.rows], join="inner", ignore_index=True))
    whole = np.concatenate([np.ones(len(index)), np.zeros(len(index))])[None]
    measured = both.measure(whole)
    before = {metric: measured[metric][0] for metric in metrics if not np.isnan(measured.get(metric, [np.nan])[0])}
    found: dict[str, set[str]] = {metric: set() for metric in before}
    step = max(1, BLOCK // whole.size)
    # Those first whose answers are right in one arm and wrong in the other: soon there are enough.
    likely = np.zeros(len(names), bool)
    if "correct" in a.rows:
        likely[index[(a.rows["correct"] != b.rows["correct"]).to_numpy()]] = True
    order = np.argsort(~likely, kind="stable")
    for start in range(0, len(names), step):
        block = order[start : start + step]
        given = index == block[:, None]
        after = both.measure(np.concatenate([~given, given], axis=1).astype(np.float64))
        for metric, value in before.items():
            found[metric].update(names[block][~np.isclose(after[metric], value, rtol=0, atol=1e-9)].tolist())
        if _enough(found, before):
            break
    return found
