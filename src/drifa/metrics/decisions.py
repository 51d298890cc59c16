"""What acting on a class is worth, by how sure one asks to be before one acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from drifa.metrics.intervals import bootstrap_measured
from drifa.metrics.weighted import Floats

#: Threshold probabilities that are looked at, 1 % to 99 %.
THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))


class DecisionPoint(TypedDict):
    """Net benefit at one threshold: of the model with its limits, and of acting on everybody. Acting on nobody has 0."""

    threshold: float
    model: float
    low: float | None
    high: float | None
    everybody: float


def decision_curves(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    thresholds: Sequence[float] = THRESHOLDS,
    resamples: int = 1000,
    seed: int = 0,
) -> list[list[DecisionPoint]]:
    """Net benefit of acting on each class where its probability reaches a threshold, with its interval over groups.

    At threshold t, one who acts on nine healthy to find one ill has t = 10 %: a needless act costs t / (1 - t) of what a
    needed one gains. Net benefit is needed acts minus needless ones at that price, per case: TP / N - FP / N * t / (1 - t).

    Args:
        labels: True class of each case.
        probabilities: Of each class, 0 to 1; each class is taken against all others.
        groups: Group of each case; any values that have a text form.
        thresholds: Above 0 and below 1, each once.
        resamples: Number of times that the groups are drawn anew, with replacement.
        seed: The same seed and groups give the same resamples.

    Shape:
        labels [N], probabilities [N, C], groups [N].

    Returns:
        Per class, one point per threshold; its limits, the middle 95 %, are None with one group only.

    Raises:
        ValueError: A shape, a probability or a threshold is not as described above.

    References:
        Vickers and Elkin, Decision curve analysis: a novel method for evaluating prediction models, Medical Decision Making
        2006, https://doi.org/10.1177/0272989X06295361.

    Examples:
        Of two ill and two healthy, the model finds one and calls one healthy ill.

        >>> ill = [[0.1, 0.9], [0.9, 0.1], [0.4, 0.6], [0.8, 0.2]]
        >>> point = decision_curves([1, 1, 0, 0], ill, groups=range(4), thresholds=[0.5])[1][0]
        >>> point["model"], point["everybody"]
        (0.0, 0.0)
    """
    judged = _Decisions(labels, probabilities, thresholds)
    found = bootstrap_measured([judged], groups, resamples, seed=seed)
    curves: list[list[DecisionPoint]] = []
    for number, share in enumerate(judged.truth.mean(axis=0).tolist()):
        points: list[DecisionPoint] = []
        for threshold in judged.thresholds:
            interval = found[f"{number}_{threshold}"]
            points.append(
                {
                    "threshold": threshold,
                    "model": interval["value"] or 0.0,  # net benefit is defined everywhere: never None
                    "low": interval["low"],
                    "high": interval["high"],
                    "everybody": share - (1 - share) * _price(threshold),
                }
            )
        curves.append(points)
    return curves


class _Decisions:
    """Answers of one network, ready to be weighted: one number per class and threshold."""

    def __init__(self, labels: ArrayLike, probabilities: ArrayLike, thresholds: Sequence[float]) -> None:
        classes, p = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
        if p.ndim != 2 or not p.size or classes.shape != p.shape[:1] or not ((p >= 0) & (p <= 1)).all():
            raise ValueError(f"probabilities of shape {p.shape} must be from 0 to 1, a row per case, of {classes.shape}")
        if not np.isin(classes, range(p.shape[1])).all():
            raise ValueError(
                f"labels must be classes, from 0 to {p.shape[1] - 1}, as the probabilities have {p.shape[1]} columns"
            )
        if not all(0 < threshold < 1 for threshold in thresholds) or len(set(thresholds)) < len(thresholds):
            raise ValueError(f"thresholds {list(thresholds)} must lie above 0 and below 1, each once")
        self.thresholds = tuple(thresholds)
        self.truth = classes[:, None] == np.arange(p.shape[1])
        prices = np.array([_price(threshold) for threshold in self.thresholds])
        worth = np.where(self.truth[:, :, None], 1.0, -prices)
        self.benefit = np.where(p[:, :, None] >= np.array(self.thresholds), worth, 0.0).reshape(len(p), -1)

    def __len__(self) -> int:
        return len(self.truth)

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Net benefit at every threshold under each of R weightings, [R, N] -> each [R]."""
        mean = weights @ self.benefit / weights.sum(axis=1, keepdims=True)
        names = [f"{number}_{threshold}" for number in range(self.truth.shape[1]) for threshold in self.thresholds]
        return {name: mean[:, column] for column, name in enumerate(names)}


def _price(threshold: float) -> float:
    return threshold / (1 - threshold)
