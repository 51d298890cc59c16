"""Splits that keep a group on one side, and the paper's image-random split beside it for comparison.

References:
    The stratification follows the idea of Sechidis, Tsoumakas & Vlahavas, "On the stratification of multi-label data", ECML
    PKDD 2011: give each item to the side that is furthest behind on what the item contains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from drifa.data.receipts import apply_split, make_receipt, read_split, verify_split, write_receipt
from drifa.data.study import SPLITS, Study
from drifa.data.subjects import NO_LABEL, Subjects, subject_codes
from drifa.errors import DrifaError, suggest

__all__ = ["PROTOCOLS", "apply_split", "read_split", "split", "verify_split", "write_receipt"]

#: What `split` can do, with one line for `--help` and for error messages.
PROTOCOLS = {
    "strict": "whole groups, stratified by modality pattern and labels",
    "paper": "subjects at random, as published; cuts groups, so its scores are optimistic",
    "given": "the split column as it stands, verified",
}


def split(
    study: Study,
    protocol: str = "strict",
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> tuple[Study, dict[str, Any]]:
    """Fills the split column.

    The result depends on subjects, groups and labels, never on the order of the table's rows.

    Args:
        study: Any study; an existing split column is replaced, except by ``given``.
        protocol: ``strict``, ``paper`` or ``given``; see :data:`PROTOCOLS`.
        fractions: Shares of train, val and test in subjects; not negative, sum 1. ``given`` ignores them.
        seed: Seed, not negative. ``given`` ignores it.

    Returns:
        ``(study, receipt)``; the receipt holds plain JSON values, see :func:`drifa.data.receipts.make_receipt`.

    Raises:
        DrifaError: An unknown protocol, impossible fractions, a side that stays empty, or a given split with gaps.
    """
    if protocol not in PROTOCOLS:
        raise DrifaError(f"unknown split protocol {protocol!r}{suggest(protocol, PROTOCOLS)}")
    if protocol == "given":
        verify_split(study)
        return study, make_receipt(study, protocol, None, None)
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-6 or shares[0] == 0:
        raise DrifaError(
            f"fractions {tuple(fractions)} cannot split a study; give train, val and test that sum to 1: 0.8 0.1 0.1"
        )
    subjects = study.subjects()
    random = np.random.default_rng(seed)
    side = _strict(subjects, shares, random) if protocol == "strict" else _paper(subjects, shares, random)
    for number, name in enumerate(SPLITS):
        if shares[number] > 0 and not (side == number).any():
            unit = f"{len(np.unique(subjects.group))} groups" if protocol == "strict" else f"{len(subjects)} subjects"
            raise DrifaError(
                f"no subject is left for {name!r}: study {study.name!r} has {unit}; add data, or enlarge its fraction"
            )
    table = study.table.copy()
    table["split"] = np.array(SPLITS, dtype=object)[side[subject_codes(table)[0]]]
    result = replace(study, table=table, split_protocol=protocol)
    return result, make_receipt(result, protocol, [float(share) for share in shares], seed)


def _paper(subjects: Subjects, shares: np.ndarray, random: np.random.Generator) -> np.ndarray:
    side = np.zeros(len(subjects), dtype=np.int64)
    # The sides of an unpaired study are split separately.
    for pattern in np.unique(subjects.pattern):
        members = random.permutation(np.flatnonzero(subjects.pattern == pattern))
        ends = np.round(np.cumsum(shares) * len(members)).astype(int)
        side[members[ends[0] : ends[1]]] = 1
        side[members[ends[1] :]] = 2
    return side


def _categories(subjects: Subjects) -> tuple[np.ndarray, int]:
    """What is balanced, as numbers per subject: int64 [S, 2 t + 2], -1 for none, and the count of those that are a class.

    Columns: the class of each task (numbered first), the same within each modality pattern, the pattern, and pattern and labels
    together.
    """
    labels = list(subjects.labels.T)
    keys = [_joint([label]) for label in labels] + [_joint([subjects.pattern, label]) for label in labels]
    keys += [_joint([subjects.pattern]), _joint([subjects.pattern, *labels])]
    columns, offset, classes = [], 0, 0
    for number, key in enumerate(keys):
        columns.append(key + offset)
        if number < 2 * len(labels):
            columns[-1][labels[number % len(labels)] == NO_LABEL] = -1
        offset += int(key.max()) + 1
        if number < len(labels):
            classes = offset
    return np.stack(columns, axis=1), classes


def _joint(columns: list[np.ndarray]) -> np.ndarray:
    """Numbers the combinations of several integer columns (-1 and up) from 0: int64 [S]."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        code = np.unique(code * (column.max() + 2) + column + 1, return_inverse=True)[1].reshape(-1)
    return code


def _strict(subjects: Subjects, shares: np.ndarray, random: np.random.Generator) -> np.ndarray:
    category, classes = _categories(subjects)
    names, group = np.unique(subjects.group, return_inverse=True)
    group = group.reshape(-1)
    size = np.bincount(group)
    # One (group, category, how many subjects) entry per pair that occurs, sorted by group.
    owner = np.repeat(group, category.shape[1])[category.reshape(-1) >= 0]
    kinds = int(category.max()) + 1
    found, counts = np.unique(owner * kinds + category[category >= 0], return_counts=True)
    pairs = np.stack(np.divmod(found, kinds), axis=1)
    bounds = np.searchsorted(pairs[:, 0], np.arange(len(names) + 1))
    held = np.zeros((3, kinds))
    seen = np.zeros(kinds)
    side = np.full(len(names), -1, dtype=np.int64)

    def give(number: int, target: int) -> None:
        part = slice(bounds[number], bounds[number + 1])
        side[number] = target
        held[target, pairs[part, 1]] += counts[part]
        seen[pairs[part, 1]] += counts[part]

    order = random.permutation(len(names))
    rank = np.argsort(order)
    _seed_classes(pairs, counts, classes, shares, rank, side, held, give)
    # Large groups first, so that the small ones can mend what they unbalanced.
    for number in order[np.argsort(-size[order], kind="stable")]:
        if side[number] < 0:
            part = slice(bounds[number], bounds[number + 1])
            has, weight = pairs[part, 1], counts[part]
            # Least squares: the side furthest behind its share of what has been dealt so far, this group included.
            behind = (shares[:, None] * (seen[has] + weight) - held[:, has]) @ weight
            give(int(number), int(np.argmax(np.where(shares > 0, behind, -np.inf))))
    return side[group]


def _seed_classes(
    pairs: np.ndarray,
    counts: np.ndarray,
    classes: int,
    shares: np.ndarray,
    rank: np.ndarray,
    side: np.ndarray,
    held: np.ndarray,
    give: Callable[[int, int], None],
) -> None:
    """Puts one group of every class on every side before the rest is dealt, rarest class first.

    Without it a class of three groups would all go to train, whose share of three is 2.4.
    """
    wanted = [number for number in (1, 2, 0) if shares[number] > 0]
    groups_of = {number: np.flatnonzero(pairs[:, 1] == number) for number in range(classes)}
    for number, entries in sorted(groups_of.items(), key=lambda item: (len(item[1]), item[0])):
        if len(entries) < len(wanted):
            continue
        total = counts[entries].sum()
        for target in wanted:
            free = entries[side[pairs[entries, 0]] < 0]
            if held[target, number] > 0 or not len(free):
                continue
            # A group larger than the side's share would upset it; the smallest ones are always allowed.
            fitting = free[counts[free] <= max(shares[target] * total, counts[free].min())]
            chosen = pairs[fitting, 0]
            give(int(chosen[np.argmin(rank[chosen])]), target)
