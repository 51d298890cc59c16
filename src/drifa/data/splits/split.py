"""Splits that keep a group on one side, and the paper's image-random split beside them for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from drifa.data.splits.protocols import PROTOCOLS, check_split_settings
from drifa.data.splits.receipts import apply_split, make_receipt, read_split, verify_split, write_receipt
from drifa.data.splits.stratify import Groups, deal, fit_sizes
from drifa.data.study.checks import CALIBRATION, OFFICIAL_COLUMN, UNUSED
from drifa.data.study.study import SPLITS, Study
from drifa.data.study.subjects import Subjects, subject_codes
from drifa.errors import DrifaError, plural, suggest

__all__ = ["PROTOCOLS", "apply_split", "read_split", "split", "verify_split", "write_receipt"]

TRAIN, VAL, TEST, ASIDE, CALIBRATE = range(5)
#: Their names.
_NAMES = (*SPLITS, UNUSED, CALIBRATION)


def split(
    study: Study,
    protocol: str = "strict",
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    *,
    sizes: Sequence[int] | None = None,
    folds: int | None = None,
    fold: int | None = None,
    column: str = "",
    calibration: float = 0.0,
) -> tuple[Study, dict[str, Any]]:
    """Fills the split column.

    The result depends on subjects, groups and labels, never on the order of the table's rows.

    Args:
        study: Any study; an existing split column is replaced, except by ``given``.
        protocol: A key of :data:`drifa.data.splits.protocols.PROTOCOLS`.
        fractions: Shares of train, val and test in subjects; not negative, sum 1. For ``strict`` and ``paper``; ``official``
            takes from them the share of val in what was published for training.
        seed: Seed, not negative. ``given`` and ``column`` ignore it.
        sizes: Subjects of train, val and test, instead of fractions; they must add up to the study's. For ``strict`` (as near
            as whole groups allow) and ``paper`` (exact).
        folds: Number of folds of ``kfold``, 3 or more.
        fold: Which of them is tested, from 0; the next one validates, the rest trains.
        column: Column of the table that ``column`` takes the split from.
        calibration: Share of the training part that is cut off, by whole groups, as a fourth part ``calibration``; 0 = none.
            Validation and test stay as they are. ``given`` and ``column`` take that part from their column.

    Returns:
        ``(study, receipt)``; the receipt holds plain JSON values, see :func:`drifa.data.splits.receipts.make_receipt`.

    Raises:
        DrifaError: An unknown protocol, settings that do not fit it or the study, a side that stays empty, or a given split
            with gaps.

    Examples:
        >>> from drifa.data import make_phantom
        >>> study, receipt = split(make_phantom("phantom", subjects=60, image_size=32), fractions=(0.6, 0.2, 0.2))
        >>> sum(receipt["subjects"].values()), receipt["groups_in_two_splits"], receipt["classes_missing"]
        (60, 0, [])
        >>> study.subjects().in_split("test").size == receipt["subjects"]["test"]
        True
    """
    check_split_settings(protocol, fractions, seed, sizes, folds, fold, column, calibration)
    if protocol == "given":
        verify_split(study)
        return study, make_receipt(study, protocol)
    settings: dict[str, Any] = {"column": column} if column else {"seed": seed}
    if protocol == "column":
        side = _own_column(study, column)
    else:
        subjects = study.subjects()
        random = np.random.default_rng(seed)
        shares = [float(share) for share in fractions]
        if sizes is not None:
            _check_sizes(study, sizes, len(subjects))
            shares = [size / sum(sizes) for size in sizes]
            settings["sizes"] = [int(size) for size in sizes]
        elif protocol != "kfold":
            settings["fractions"] = shares
        if protocol == "strict":
            side = _strict(subjects, np.arange(len(subjects)), shares, random, sizes)
        elif protocol == "paper":
            side = _paper(subjects, shares, random, sizes)
        elif protocol == "official":
            side = _official(study, subjects, shares, random)
        else:
            assert folds is not None
            assert fold is not None
            settings |= {"folds": folds, "fold": fold}
            side = _fold(study, subjects, folds, fold, random)
        _refuse_empty(study, subjects, side, shares, protocol)
        if calibration:
            settings["calibration"] = float(calibration)
            _cut_off(study, subjects, side, calibration, seed)
    table = study.table.copy()
    table["split"] = np.array(_NAMES, dtype=object)[side[subject_codes(table)[0]]]
    result = replace(study, table=table, split_protocol=protocol)
    return result, make_receipt(result, protocol, settings)


def _strict(
    subjects: Subjects,
    chosen: np.ndarray,
    shares: Sequence[float],
    random: np.random.Generator,
    sizes: Sequence[int] | None = None,
) -> np.ndarray:
    """Side of each of the chosen subjects: int64 [n]."""
    groups = Groups(subjects, chosen)
    side = deal(groups, shares, random)
    return (side if sizes is None else fit_sizes(groups, side, sizes))[groups.of]


def _cut_off(study: Study, subjects: Subjects, side: np.ndarray, share: float, seed: int) -> None:
    """Moves whole groups of the training side to the one that calibrates."""
    train = np.flatnonzero(side == TRAIN)
    # Numbers of its own, so that the other sides are those of a split without it.
    side[train] = np.array([TRAIN, CALIBRATE])[_strict(subjects, train, [1 - share, share], np.random.default_rng([seed, 1]))]
    for number in (TRAIN, CALIBRATE):
        if not (side == number).any():
            raise DrifaError(
                f"no subject is left for {_NAMES[number]!r}: the training part of study {study.name!r} has "
                f"{plural(len(np.unique(subjects.group[train])), 'group')}; add data, or change the share {share:g} of "
                f"calibration"
            )


def _paper(subjects: Subjects, shares: Sequence[float], random: np.random.Generator, sizes: Sequence[int] | None) -> np.ndarray:
    side = np.zeros(len(subjects), dtype=np.int64)
    # The sides of an unpaired study are split separately.
    members = [random.permutation(np.flatnonzero(subjects.pattern == pattern)) for pattern in np.unique(subjects.pattern)]
    if sizes is not None:
        # Each side's places spread evenly over the patterns: exact in all, in proportion in each.
        places = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
        side[np.concatenate(members)] = np.repeat(np.arange(3), sizes)[np.argsort(places, kind="stable")]
        return side
    for part in members:
        ends = np.round(np.cumsum(shares) * len(part)).astype(int)
        side[part[ends[0] : ends[1]]] = VAL
        side[part[ends[1] :]] = TEST
    return side


def _fold(study: Study, subjects: Subjects, folds: int, fold: int, random: np.random.Generator) -> np.ndarray:
    # The deal does not know which fold is tested, so that the k runs test every subject once.
    number = _strict(subjects, np.arange(len(subjects)), [1 / folds] * folds, random)
    if len(np.unique(number)) < folds:
        raise DrifaError(
            f"study {study.name!r} has {plural(len(np.unique(subjects.group)), 'group')}, too few for {folds} folds; use "
            f"fewer folds"
        )
    side = np.full(len(subjects), TRAIN)
    side[number == (fold + 1) % folds] = VAL
    side[number == fold] = TEST
    return side


def _official(study: Study, subjects: Subjects, shares: Sequence[float], random: np.random.Generator) -> np.ndarray:
    """The published test set as it is; whatever training shares a group with it is set aside."""
    published = _texts(study, OFFICIAL_COLUMN, (*_NAMES, ""))
    for name in ("train", "test"):
        if (published != "").any() and not (published == name).any():
            raise DrifaError(
                f"the published split of study {study.name!r}, its column {OFFICIAL_COLUMN!r}, has no {name} set; use the "
                f"protocol strict, which makes one"
            )
    for pattern in np.unique(subjects.pattern):
        lacking = published[subjects.pattern == pattern] == ""
        if lacking.any() and not lacking.all():
            name = subjects.ids[subjects.pattern == pattern][np.argmax(lacking)]
            raise DrifaError(
                f"{lacking.sum()} of {len(lacking)} subjects of study {study.name!r}, such as {str(name)!r}, have no published "
                f"split in the column {OFFICIAL_COLUMN!r}; fill it, or use the protocol strict"
            )
    side = np.select([published == name for name in _NAMES], range(len(_NAMES)), default=TRAIN)
    group = pd.factorize(subjects.group)[0]
    # The test set stays whole, then the validation set: what touches them from below is set aside.
    for kept, below in ((TEST, (TRAIN, VAL, CALIBRATE)), (VAL, (TRAIN, CALIBRATE)), (CALIBRATE, (TRAIN,))):
        touched = np.isin(group, group[(side == kept) & (published != "")])
        side[touched & np.isin(side, below) & (published != "")] = ASIDE
    train = np.flatnonzero((published == "train") & (side == TRAIN))
    if not (published == "val").any() and shares[VAL] > 0 and len(train):
        known = shares[TRAIN] + shares[VAL]
        side[train] = _strict(subjects, train, [shares[TRAIN] / known, shares[VAL] / known], random)
    # One side of a merged study may have been published without a split: it gets a strict one.
    free = np.flatnonzero(published == "")
    if len(free):
        side[free] = _strict(subjects, free, shares, random)
    return side


def _own_column(study: Study, column: str) -> np.ndarray:
    value = _texts(study, column, (*_NAMES, ""))
    if (value == "").any():
        raise DrifaError(
            f"{(value == '').sum()} of {len(value)} subjects of study {study.name!r} have nothing in the column {column!r}; "
            f"write {', '.join(SPLITS)}, {CALIBRATION} or {UNUSED}"
        )
    return np.select([value == name for name in _NAMES], range(len(_NAMES)))


def _texts(study: Study, column: str, allowed: Sequence[str]) -> np.ndarray:
    """A column of the table as one text per subject: object [S]."""
    if column not in study.table.columns:
        where = f"the table of study {study.name!r} has no column {column!r}"
        if column == OFFICIAL_COLUMN:
            raise DrifaError(f"{where}, which holds the split that a dataset was published with; use the protocol strict")
        raise DrifaError(f"{where}{suggest(column, study.table.columns)}")
    text = study.table[column].astype(object).where(study.table[column].notna(), "").to_numpy()
    codes, ids = subject_codes(study.table)
    value = np.empty(len(ids), dtype=object)
    value[codes] = text
    for wrong, what in (
        (~np.isin(text.astype(str), allowed), f"is not a split{{}} in the column {column!r}"),
        (text != value[codes], f"differs from another row of the same subject{{}} in the column {column!r}"),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            near = suggest(text[row], [name for name in allowed if name])
            message = what.format(near if "not a split" in what else "")
            raise DrifaError(f"{text[row]!r} in row {row + 2} (subject {study.table['subject'].iloc[row]!r}) {message}")
    return value


def _check_sizes(study: Study, sizes: Sequence[int], count: int) -> None:
    if sum(sizes) != count:
        raise DrifaError(
            f"sizes {tuple(sizes)} add up to {plural(sum(sizes), 'subject')} and study {study.name!r} has {count}; sizes "
            f"are for the "
            f"complete set: get the rest, or use fractions"
        )


def _refuse_empty(study: Study, subjects: Subjects, side: np.ndarray, shares: Sequence[float], protocol: str) -> None:
    for number, name in enumerate(SPLITS):
        if (protocol == "kfold" or shares[number] > 0) and not (side == number).any():
            unit = plural(len(subjects), "subject") if protocol == "paper" else plural(len(np.unique(subjects.group)), "group")
            remedy = "use fewer folds" if protocol == "kfold" else "enlarge its fraction, or take the protocol kfold"
            if protocol == "official":
                remedy = "for the others share a group with the published sets, or use the protocol strict"
            raise DrifaError(f"no subject is left for {name!r}: study {study.name!r} has {unit}; add data, {remedy}")
