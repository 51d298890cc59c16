"""From the draws of all members to predictions, metrics and details of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drifa.metrics.classification import confusion_matrix, per_class
from drifa.metrics.curves import reliability, risk_coverage
from drifa.metrics.intervals import Interval, bootstrap, mean_interval
from drifa.uncertainty.draws import Draws
from drifa.uncertainty.modes import flip_rates, modes
from drifa.uncertainty.summary import Summary


@dataclass(frozen=True)
class Target:
    """The images that one task is judged on.

    Attributes:
        subject, group, split: Names. ``[N]``
        labels: Class index, -1 = unknown. ``[N]``
    """

    subject: np.ndarray
    group: np.ndarray
    split: np.ndarray
    labels: np.ndarray


def metrics(
    target: Target, main: Sequence[Draws], alone: Sequence[Draws] | None, resamples: int, seed: int
) -> dict[str, dict[str, Interval]]:
    """Metrics with intervals: mode -> metric -> ``{value, low, high}``; ``deterministic`` and ``mc`` are means over members."""
    known = target.labels >= 0
    labels, groups = target.labels[known], target.group[known]
    flips = flip_rates(main)
    lone = modes(alone) if alone else {}
    found: dict[str, dict[str, Interval]] = {}
    for mode, summaries in modes(main).items():
        found[mode] = _bootstrapped(labels, groups, summaries, known, resamples, seed)
        if mode in lone:
            by_itself = _bootstrapped(labels, groups, lone[mode], known, resamples, seed)
            for name in ("accuracy", "balanced_accuracy"):
                found[mode][f"{name}_alone"] = by_itself[name]
        if mode in flips:
            rates = np.mean([rate[known] for rate in flips[mode].values()], axis=0)
            found[mode]["partner_flip_rate"] = mean_interval(rates, groups, resamples, seed=seed)
    return found


def details(target: Target, main: Sequence[Draws], classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Per mode: the table per class, confusion counts and curves; of member 0 for ``deterministic`` and ``mc``."""
    known = target.labels >= 0
    labels = target.labels[known]
    found = {}
    for mode, summaries in modes(main).items():
        summary = next(iter(summaries.values()))
        probabilities = summary.probabilities[known]
        found[mode] = {
            "per_class": per_class(labels, probabilities, classes),
            "confusion": confusion_matrix(labels, summary.predicted[known], len(classes)).tolist(),
            "reliability": reliability(labels, probabilities),
            "risk_coverage": risk_coverage(labels, probabilities, summary.predictive_entropy[known]),
        }
    return found


def predictions(
    task: str, target: Target, conditions: Mapping[str, Sequence[Draws]], classes: Sequence[str]
) -> list[pd.DataFrame]:
    """One row per image, mode, member and condition (``paired``, ``partners`` or ``alone``)."""
    names = np.array(classes, dtype=object)
    truth = np.where(target.labels >= 0, names[target.labels], None)
    frames = []
    for condition, members in conditions.items():
        flips = flip_rates(members)
        for mode, summaries in modes(members).items():
            for member, summary in summaries.items():
                predicted = summary.predicted
                frames.append(
                    pd.DataFrame(
                        {
                            "subject": target.subject,
                            "group": target.group,
                            "split": target.split,
                            "task": task,
                            "mode": mode,
                            "condition": condition,
                            "member": member,
                            "label": truth,
                            "predicted": names[predicted],
                            "correct": pd.Series(predicted == target.labels, dtype="boolean").mask(target.labels < 0),
                            "confidence": summary.probabilities.max(axis=1),
                            "probabilities": list(summary.probabilities),
                            "predictive_entropy": summary.predictive_entropy,
                            "mutual_information": _or_missing(summary.mutual_information, predicted),
                            "std": _or_missing(summary.std, predicted),
                            "flip_rate": _or_missing(flips.get(mode, {}).get(member), predicted),
                        }
                    )
                )
    return frames


def _or_missing(values: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    return np.full(len(like), np.nan) if values is None else values


def _bootstrapped(
    labels: np.ndarray, groups: np.ndarray, summaries: dict[int, Summary], known: np.ndarray, resamples: int, seed: int
) -> dict[str, Interval]:
    probabilities = np.stack([summary.probabilities[known] for summary in summaries.values()])
    doubt = np.stack([summary.predictive_entropy[known] for summary in summaries.values()])
    return bootstrap(labels, probabilities, groups, doubt, resamples=resamples, seed=seed)
