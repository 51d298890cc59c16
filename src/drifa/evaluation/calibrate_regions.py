"""How sure a segmentation run may be of its voxels: a temperature for each region, learned and judged volume by volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import tee
from typing import Any

import numpy as np

from drifa.errors import DrifaError
from drifa.evaluation.judge_volumes import VolumeJudge
from drifa.metrics.intervals import mean_interval
from drifa.metrics.weighted import Floats
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress
from drifa.uncertainty.records import FLOOR
from drifa.uncertainty.region_calibration import RegionTemperatures


def learn_regions(
    predictor: Predictor, split: str, progress: Progress | None = None
) -> tuple[dict[str, RegionTemperatures], list[str]]:
    """Task -> the temperatures of its regions on one split of the run's study, and why there are none.

    Args:
        predictor: A segmentation run; members and passes are averaged first.
        split: Whose volumes.
        progress: Called with (done, total, what).
    """
    found: dict[str, RegionTemperatures] = {}
    notes: list[str] = []
    for task, regions in predictor.regions.items():
        first, second, third = tee(_maps(predictor, split, task, progress), 3)  # read side by side: one volume is held
        truths, probabilities, groups = (one[0] for one in first), (one[1] for one in second), (one[2] for one in third)
        try:
            found[task] = RegionTemperatures.fit(truths, probabilities, tuple(regions), groups)
        except DrifaError as error:
            notes.append(f"{task}: no calibration: {error}")
    return found, notes


def judge_regions(
    predictor: Predictor, learned: Mapping[str, RegionTemperatures], split: str, progress: Progress | None = None
) -> dict[str, dict[str, Any]]:
    """Task -> region -> ``nll`` and ``brier``, ``before`` and ``after``: means over volumes, with intervals over groups."""
    settings = predictor.run.config.evaluate
    found: dict[str, dict[str, Any]] = {}
    for task, temperatures in learned.items():
        rows: list[Floats] = []
        groups: list[object] = []
        for truth, p, group in _maps(predictor, split, task, progress):
            rows.append(np.stack([_scores(truth, p), _scores(truth, temperatures(p))], axis=1))
            groups.append(group)
        if not rows:
            continue
        scores = np.stack(rows)
        found[task] = {
            region: {
                name: {
                    when: mean_interval(scores[:, metric, number, k], groups, settings.resamples, seed=settings.seed)
                    for number, when in enumerate(("before", "after"))
                }
                for metric, name in enumerate(("nll", "brier"))
            }
            for k, region in enumerate(temperatures.regions)
        }
    return found


def _scores(truth: np.ndarray, p: Floats) -> Floats:
    """Mean negative log-likelihood, nats, and Brier score of the voxels: ``[R, N] -> [2, R]``."""
    right = np.where(truth, p, 1 - p)
    return np.stack([-np.log(np.maximum(right, FLOOR)).mean(axis=1), ((1 - right) ** 2).mean(axis=1)])


def _maps(
    predictor: Predictor, split: str, task: str, progress: Progress | None
) -> Iterator[tuple[np.ndarray, np.ndarray, object]]:
    """Truth and probabilities ``[R, N]`` of the N voxels of a volume that the networks have seen, and its group."""
    study = predictor.run.study()
    judge = VolumeJudge(predictor, study, predictor.run.cache(study, progress))
    chosen = judge.subjects.in_split(split)
    for done, subject in enumerate(chosen.tolist(), start=1):
        truth = judge.cache.truth(subject, task)
        if truth is not None:
            p = judge.averaged(subject)[task]
            seen = judge.cache.restore(subject, np.ones_like(p))[..., 0] > 0
            yield truth[seen].T, judge.cache.restore(subject, p)[seen].T, judge.subjects.group[subject]
        if progress:
            progress(done, len(chosen), f"segmenting {split} volumes")
