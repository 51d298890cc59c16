"""What each modality adds to an answer: exact Shapley values over the subsets of the modalities, with their interactions.

The value of a set of modalities is the answer that the run gives from them, the others absent, dropout off. *None* is the
answer of somebody who sees nothing: the share of the class in the training split, or the mean of the number there. A set that
cannot answer the task, such as an ultrasound image asked for the surface, is worth as much as none: there is no answer then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
from torch import Tensor

from drifa.errors import DrifaError
from drifa.metrics.intervals import Interval, mean_interval
from drifa.prediction.predictor import Predictor
from drifa.present import subset_mask, subsets_of
from drifa.tasks import Classes, Number

#: Exact values need every subset; beyond so many modalities nobody can read the interactions either.
MOST_PLAYERS = 5

Floats = np.ndarray


@dataclass(frozen=True)
class Shares:
    """Shapley values of one task, in the unit of its answers.

    Attributes:
        modalities: m names.
        none: The answer from nothing. ``[k]``
        everything: The answer from all that a case has; NaN where it cannot answer the task. ``[N, k]``
        values: What each modality adds; 0 for one that a case has not. They sum to ``everything - none``. ``[N, m, k]``
        pairs: Interaction of each two: above 0 they say more together than apart, below 0 they say the same. ``[N, P, k]``
        names: The P pairs, in the order of ``pairs``.
    """

    modalities: tuple[str, ...]
    none: Floats
    everything: Floats
    values: Floats
    pairs: Floats
    names: tuple[tuple[str, str], ...]


def shapley(values: Mapping[frozenset[int], Floats], players: int) -> tuple[Floats, Floats]:
    """Shapley values and pairwise Shapley interactions from the value of every set.

    Args:
        values: Set of players, the empty one too -> its value, arrays of one shape ``[...]``.
        players: m, their number.

    Returns:
        ``[m, ...]`` and ``[P, ...]``, pairs in the order of ``itertools.combinations``.

    Raises:
        DrifaError: More than five players.

    References:
        Shapley, A value for n-person games, 1953; Grabisch and Roubens, An axiomatic approach to the concept of interaction
        among players in cooperative games, International Journal of Game Theory 1999.
    """
    if not 1 <= players <= MOST_PLAYERS:
        raise DrifaError(f"{players} modalities have too many subsets for exact shares; keep 1 to {MOST_PLAYERS} of them")
    shape = np.shape(values[frozenset()])
    alone, pairs = np.zeros((players, *shape)), np.zeros((players * (players - 1) // 2, *shape))
    for i in range(players):
        for before in _subsets(set(range(players)) - {i}):
            weight = factorial(len(before)) * factorial(players - len(before) - 1) / factorial(players)
            alone[i] += weight * (values[before | {i}] - values[before])
    for p, (i, j) in enumerate(combinations(range(players), 2)):
        for before in _subsets(set(range(players)) - {i, j}):
            weight = factorial(len(before)) * factorial(players - len(before) - 2) / factorial(players - 1)
            together = values[before | {i, j}] - values[before | {i}] - values[before | {j}] + values[before]
            pairs[p] += weight * together
    return alone, pairs


def shares(
    predictor: Predictor, images: Mapping[str, Tensor], present: Tensor, none: Mapping[str, Floats]
) -> dict[str, Shares]:
    """What each modality adds for some cases, as the mean of the members, in one pass of the subset engine.

    Args:
        predictor: An open run.
        images: As :meth:`~drifa.prediction.predictor.Predictor.over_subsets` takes them.
        present: bool ``[B, m]``.
        none: Task -> the answer from nothing ``[k]``, see :func:`of_nothing`.

    Raises:
        DrifaError: More than five modalities.
    """
    names = tuple(predictor.run.info.modalities)
    if len(names) > MOST_PLAYERS:
        shapley({frozenset(): np.zeros(0)}, len(names))
    subsets = subsets_of(names)
    members = predictor.over_subsets(images, present, subset_mask(subsets, names))
    found = {}
    for task, kind in predictor.subject_kinds.items():
        able = [i for i, name in enumerate(names) if name in predictor.run.info.task_modalities[task]]
        nothing = np.broadcast_to(none[task], (len(present), len(none[task]))).astype(np.float64)
        values = {frozenset[int](): nothing}
        for s, subset in enumerate(subsets):
            chosen = [i for i, name in enumerate(names) if name in subset]
            answering = present[:, [i for i in chosen if i in able]].any(dim=1).cpu().numpy()
            each = [answers[task].double().cpu().numpy() for member in members if (answers := member[s]) is not None]
            answer = nothing if not each else in_unit(kind, np.mean(each, axis=0))
            values[frozenset(chosen)] = np.where(answering[:, None], answer, nothing)
        alone, pairs = shapley(values, len(names))
        everything = values[frozenset(range(len(names)))]
        answered = present[:, able].any(dim=1).cpu().numpy()[:, None]
        found[task] = Shares(
            names,
            np.asarray(none[task], dtype=np.float64),
            np.where(answered, everything, np.nan),
            np.moveaxis(alone, 0, 1),
            np.moveaxis(pairs, 0, 1),
            tuple(combinations(names, 2)),
        )
    return found


def of_nothing(kind: object, values: Floats, known: Floats) -> Floats:
    """The answer from nothing: the training share of every class, or the training mean of a number. ``[k]``

    Args:
        kind: Of the task.
        values: Those of the training split.
        known: Which of them are known.
    """
    if isinstance(kind, Classes):
        counts = np.bincount(values[known].astype(np.int64), minlength=len(kind.classes)).astype(np.float64)
        return counts / counts.sum()
    assert isinstance(kind, Number)
    return np.array([kind.mean])


def in_unit(kind: object, answers: Floats) -> Floats:
    """Class probabilities as they are; of a number the value alone, in its unit. ``[N, k] -> [N, k']``"""
    return kind.mean + kind.std * answers[:, :1] if isinstance(kind, Number) else answers


def cohort(
    found: Shares, outputs: Floats, groups: Sequence[str] | Floats, resamples: int, seed: int, absolute: bool = False
) -> dict[str, Interval]:
    """The mean over cases of what every modality, and every pair, adds to one output of each case.

    Args:
        found: From :func:`shares`.
        outputs: Which output of each case, such as the true class; -1 leaves the case out. int64 ``[N]``
        groups: What a resample draws whole. ``[N]``
        resamples: Of the bootstrap over groups.
        seed: Of the bootstrap.
        absolute: Take absolute values, for numbers: a share may raise one answer and lower the next.

    Returns:
        Modality, and pair as ``photo*ultrasound`` -> ``{value, low, high}``.
    """
    use = (outputs >= 0) & np.isfinite(found.everything[:, 0])
    rows, picked = np.flatnonzero(use), np.maximum(outputs, 0)[use]
    columns = {name: found.values[rows, i, picked] for i, name in enumerate(found.modalities)}
    columns |= {"*".join(pair): found.pairs[rows, p, picked] for p, pair in enumerate(found.names)}
    named = np.asarray(groups)[use]
    return {
        name: mean_interval(np.abs(column) if absolute else column, named, resamples=resamples, seed=seed)
        for name, column in columns.items()
    }


def _subsets(players: set[int]) -> list[frozenset[int]]:
    return [frozenset(chosen) for size in range(len(players) + 1) for chosen in combinations(sorted(players), size)]
