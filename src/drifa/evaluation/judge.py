"""From the draws of all members to predictions, metrics and details of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drifa.metrics.intervals import Interval, bootstrap_measured, mean_interval
from drifa.tasks import SubjectKind
from drifa.uncertainty.draws import Draws
from drifa.uncertainty.modes import modes, over_partners


@dataclass(frozen=True)
class Truth:
    """The subjects that one task is judged on.

    Attributes:
        subject, group, split: Names. ``[N]``
        values: Of the task; they mean nothing where they are not known. ``[N]``
        known: bool ``[N]``.
        complete: Whether the subject has every modality of its side of the study. bool ``[N]``
    """

    subject: np.ndarray
    group: np.ndarray
    split: np.ndarray
    values: np.ndarray
    known: np.ndarray
    complete: np.ndarray


def judge_task(
    kind: SubjectKind[Any], truth: Truth, main: Sequence[Draws], alone: Sequence[Draws] | None, resamples: int, seed: int
) -> dict[str, dict[str, Interval]]:
    """Metrics with intervals: mode -> metric -> ``{value, low, high}``; ``deterministic`` and ``mc`` are means over members."""
    groups = truth.group[truth.known]
    effects = over_partners(main, kind.over_partners)
    lone = modes(alone, kind.summarise) if alone else {}
    found: dict[str, dict[str, Interval]] = {}
    for mode, summaries in modes(main, kind.summarise).items():
        found[mode] = _bootstrapped(kind, truth, summaries, resamples, seed)
        if mode in lone:
            by_itself = _bootstrapped(kind, truth, lone[mode], resamples, seed)
            for name in kind.alone:
                found[mode][f"{name}_alone"] = by_itself[name]
        if mode in effects:
            each = np.mean([effect[truth.known] for effect in effects[mode].values()], axis=0)
            found[mode][kind.partner_metric] = mean_interval(each, groups, resamples, seed=seed)
    return found


def describe_task(kind: SubjectKind[Any], truth: Truth, main: Sequence[Draws]) -> dict[str, dict[str, Any]]:
    """Per mode what is behind its metrics; of member 0 for ``deterministic`` and ``mc``."""
    return {
        mode: kind.details(next(iter(summaries.values())), truth.values, truth.known)
        for mode, summaries in modes(main, kind.summarise).items()
    }


def prediction_rows(
    kind: SubjectKind[Any], task: str, truth: Truth, conditions: Mapping[str, Sequence[Draws]]
) -> list[pd.DataFrame]:
    """One row per subject, mode, member and condition; who is not complete is ``partial`` in place of ``paired``."""
    frames = []
    for condition, members in conditions.items():
        effects = over_partners(members, kind.over_partners)
        for mode, summaries in modes(members, kind.summarise).items():
            for member, summary in summaries.items():
                head = {
                    "subject": truth.subject,
                    "group": truth.group,
                    "split": truth.split,
                    "task": task,
                    "mode": mode,
                    "condition": np.where(truth.complete, condition, "partial") if condition == "paired" else condition,
                    "member": member,
                }
                columns = kind.columns(summary, truth.values, truth.known, effects.get(mode, {}).get(member))
                frames.append(pd.DataFrame({**head, **columns}))
    return frames


def _bootstrapped(
    kind: SubjectKind[Any], truth: Truth, summaries: Mapping[int, Any], resamples: int, seed: int
) -> dict[str, Interval]:
    networks = [kind.measured(summary, truth.values, truth.known) for summary in summaries.values()]
    return bootstrap_measured(networks, truth.group[truth.known], resamples, seed=seed)
