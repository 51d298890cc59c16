"""Dealing whole groups to sides so that every class keeps its share on each.

References:
    The idea is that of Sechidis, Tsoumakas & Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011: give each
    item to the side that is furthest behind on what the item contains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from drifa.data.study.subjects import Subjects


class Groups:
    """What each group holds, as (kind, how many subjects) entries sorted by group.

    A kind is a class of a task (these are numbered first), a class within a modality pattern, a pattern, or pattern and labels
    together. A task without labels adds nothing.

    Args:
        subjects: All subjects.
        chosen: Indices of those to deal.

    Attributes:
        of: Group number of each chosen subject, numbered by name. int64 [n].
        size: Subjects per group. int64 [G].
        kind, weight: The entries; those of group g stand at ``bounds[g]:bounds[g + 1]``. int64 [E].
        bounds: int64 [G + 1].
        kinds: Number of kinds.
        classes: How many of them are classes of a task.
    """

    def __init__(self, subjects: Subjects, chosen: np.ndarray) -> None:
        category, self.classes = _categories(subjects.pattern[chosen], subjects.strata[chosen])
        self.of = pd.factorize(subjects.group[chosen], sort=True)[0].astype(np.int64)
        self.size = np.bincount(self.of)
        owner = np.repeat(self.of, category.shape[1])[category.reshape(-1) >= 0]
        self.kinds = int(category.max()) + 1
        found, self.weight = np.unique(owner * self.kinds + category[category >= 0], return_counts=True)
        self.owner, self.kind = np.divmod(found, self.kinds)
        self.bounds = np.searchsorted(self.owner, np.arange(len(self.size) + 1))


def _categories(pattern: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, int]:
    """What is balanced, as numbers per subject: int64 [S, 2 t + 2], -1 for none, and the count of those that are a class.

    Columns: the class of each task (numbered first), the same within each modality pattern, the pattern, and pattern and labels
    together.
    """
    columns = list(labels.T)
    keys = [_joint([label]) for label in columns] + [_joint([pattern, label]) for label in columns]
    keys += [_joint([pattern]), _joint([pattern, *columns])]
    found, offset, classes = [], 0, 0
    for number, key in enumerate(keys):
        found.append(key + offset)
        if number < 2 * len(columns):
            found[-1][columns[number % len(columns)] < 0] = -1
        offset += int(key.max()) + 1
        if number < len(columns):
            classes = offset
    return np.stack(found, axis=1), classes


def _joint(columns: list[np.ndarray]) -> np.ndarray:
    """Numbers the combinations of several integer columns (-1 and up) from 0: int64 [S]."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        code = np.unique(code * (column.max() + 2) + column + 1, return_inverse=True)[1].reshape(-1)
    return code


def deal(groups: Groups, shares: Sequence[float], random: np.random.Generator) -> np.ndarray:
    """Deals groups to sides.

    Args:
        groups: What is dealt.
        shares: Share of each side in subjects; a side with share 0 gets nothing. The first side is the one that classes with
            few groups may do without the least: it is served last when every side gets a group of every class.
        random: Breaks ties among groups.

    Returns:
        Side of every group: int64 [G].
    """
    # Plain lists: a million groups of a few entries each are dealt several times faster than with small arrays.
    kind, weight, bounds = groups.kind.tolist(), groups.weight.tolist(), groups.bounds.tolist()
    sides = [number for number, share in enumerate(shares) if share > 0]
    held = [[0] * groups.kinds for _ in shares]
    seen = [0] * groups.kinds
    side = [-1] * len(groups.size)

    def give(number: int, target: int) -> None:
        side[number] = target
        have = held[target]
        for entry in range(bounds[number], bounds[number + 1]):
            have[kind[entry]] += weight[entry]
            seen[kind[entry]] += weight[entry]

    order = random.permutation(len(side))
    _seed_classes(groups, shares, np.argsort(order), side, held, give)
    # Large groups first, so that the small ones can mend what they unbalanced.
    for number in order[np.argsort(-groups.size[order], kind="stable")].tolist():
        if side[number] >= 0:
            continue
        entries = range(bounds[number], bounds[number + 1])
        has = [(kind[entry], weight[entry], seen[kind[entry]] + weight[entry]) for entry in entries]
        best, target = -math.inf, sides[0]
        for candidate in sides:
            # Least squares: the side furthest behind its share of what has been dealt so far, this group included.
            have, share, behind = held[candidate], shares[candidate], 0.0
            for what, count, total in has:
                behind += (share * total - have[what]) * count
            if behind > best:
                best, target = behind, candidate
        give(number, target)
    return np.array(side, dtype=np.int64)


def _seed_classes(
    groups: Groups,
    shares: Sequence[float],
    rank: np.ndarray,
    side: list[int],
    held: list[list[int]],
    give: Callable[[int, int], None],
) -> None:
    """Puts one group of every class on every side before the rest is dealt, rarest class first.

    Without it a class of three groups would all go to train, whose share of three is 2.4.
    """
    wanted = [number for number in (*range(1, len(shares)), 0) if shares[number] > 0]
    entries_of = {number: np.flatnonzero(groups.kind == number) for number in range(groups.classes)}
    for number, entries in sorted(entries_of.items(), key=lambda item: (len(item[1]), item[0])):
        if len(entries) < len(wanted):
            continue
        total = groups.weight[entries].sum()
        for target in wanted:
            if held[target][number] > 0:
                continue
            free = entries[np.array([side[owner] < 0 for owner in groups.owner[entries].tolist()])]
            if not len(free):
                continue
            # A group larger than the side's share would upset it; the smallest ones are always allowed.
            count = groups.weight[free]
            chosen = groups.owner[free[count <= max(shares[target] * total, count.min())]]
            give(int(chosen[np.argmin(rank[chosen])]), target)


def fit_sizes(groups: Groups, side: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Moves groups between sides until these hold the wanted numbers of subjects, or no move brings them nearer.

    Among the moves that bring most, the one is made that leaves the classes best balanced. With groups of one subject each the
    result is exact.

    Args:
        groups: What was dealt.
        side: Side of every group; int64 [G].
        sizes: Wanted subjects per side; their sum is the number of subjects.

    Returns:
        The new side of every group: int64 [G].
    """
    side = side.copy()
    shares = np.asarray(sizes) / sum(sizes)
    wanted = shares[:, None] * np.bincount(groups.kind, groups.weight, groups.kinds)
    while True:
        excess = np.bincount(side, groups.size, len(sizes)).astype(np.int64) - sizes
        held = np.zeros((len(sizes), groups.kinds))
        np.add.at(held, (side[groups.owner], groups.kind), groups.weight)
        best: tuple[int, int, float, int, int] | None = None
        for giver in np.flatnonzero(excess > 0):
            for taker in np.flatnonzero(excess < 0):
                more, less = int(excess[giver]), -int(excess[taker])
                gain = more + less - abs(more - groups.size) - abs(less - groups.size)
                movable = np.flatnonzero((side == giver) & (gain > 0))
                if not len(movable):
                    continue
                movable = movable[gain[movable] == gain[movable].max()]
                movable = movable[groups.size[movable] == groups.size[movable].min()]
                cost = _move_costs(groups, held - wanted, held[giver], int(giver), int(taker))[movable]
                choice = int(np.argmin(cost))
                number = int(movable[choice])
                move = (-int(gain[number]), int(groups.size[number]), float(cost[choice]), number, int(taker))
                best = move if best is None else min(best, move)
        if best is None:
            return side
        side[best[3]] = best[4]


def _move_costs(groups: Groups, ahead: np.ndarray, held: np.ndarray, giver: int, taker: int) -> np.ndarray:
    """How much the squared imbalance grows when a group moves, with a fine for taking the last of a class. float64 [G]"""
    kind, weight = groups.kind, groups.weight
    change = 2.0 * weight * (ahead[taker, kind] - ahead[giver, kind] + weight)
    change += np.where((kind < groups.classes) & (held[kind] <= weight), 1e12, 0.0)
    return np.add.reduceat(change, groups.bounds[:-1])
