"""What each arm of an experiment answers from every subset of the modalities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from drifa.experiments.comparison import SubsetResult
from drifa.experiments.experiment import LEAST_SEEDS
from drifa.experiments.jobs import finished, run_folder
from drifa.experiments.plan import Plan
from drifa.files import read_json
from drifa.metrics.intervals import seed_interval

#: Value and number of cases of one fold.
_Part = tuple[float | None, int]


def asked_subsets(plan: Plan, folder: Path) -> list[SubsetResult]:
    """One record per task, metric, arm and subset; empty where the experiment does not ask.

    A value of several folds is the mean of theirs, weighted by their cases.

    Args:
        plan: The experiment.
        folder: Its folder; jobs that are not finished are left out, and so are seeds that lack a fold.
    """
    if not plan.experiment.subsets:
        return []
    said = {arm: {seed: _folds(plan, folder, arm, seed) for seed in plan.experiment.seeds} for arm in plan.told}
    found = []
    for (task, about), (arm, by_seed) in product(plan.tasks.items(), said.items()):
        names = dict.fromkeys(name for folds in by_seed.values() for one in folds for name in one.get(task, {}))
        for metric, name in product(about.chosen, names):
            values = {
                str(seed): _joined(_part(one.get(task, {}).get(name), metric) for one in folds)
                for seed, folds in by_seed.items()
                if folds
            }
            found.append(SubsetResult(arm, task, metric, name, values, *_over_seeds(values)))
    return found


def _folds(plan: Plan, folder: Path, arm: str, seed: int) -> list[Mapping[str, Any]]:
    """``subsets`` of each fold's evaluation, with the number of cases; empty unless all are finished."""
    found: list[Mapping[str, Any]] = []
    for job in plan.jobs:
        if (job.arm, job.seed) != (arm, seed):
            continue
        if finished(folder, job) is None:
            return []
        evaluation = read_json(run_folder(folder, job.name) / "evaluation.json") or {}
        # Volumes are all asked with every subset, and do not count again.
        found.append(
            {
                task: {name: {"count": evaluation["subjects"], **own} for name, own in subsets.items()}
                for task, subsets in evaluation["subsets"].items()
            }
        )
    return found


def _part(own: Mapping[str, Any] | None, metric: str) -> _Part:
    return (None, 0) if own is None or metric not in own else (own[metric]["value"], own["count"])


def _joined(parts: Iterable[_Part]) -> float | None:
    known = [(value, count) for value, count in parts if value is not None]
    return float(np.average([value for value, _ in known], weights=[count for _, count in known])) if known else None


def _over_seeds(values: Mapping[str, float | None]) -> tuple[float | None, float | None, float | None]:
    known = [value for value in values.values() if value is not None]
    if not known:
        return None, None, None
    over = seed_interval(known)
    return (over["mean"], over["low"], over["high"]) if len(known) >= LEAST_SEEDS else (over["mean"], None, None)
