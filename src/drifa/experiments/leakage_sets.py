"""A clean training set and leaky ones of equal size: in these, siblings of test cases stand in for as many others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drifa.data import Study
from drifa.data.study.checks import UNUSED
from drifa.data.study.subjects import Subjects, subject_codes
from drifa.errors import DrifaError

CLEAN = "clean"


@dataclass(frozen=True)
class Sets:
    """Who trains and who is tested, as indices of subjects.

    Attributes:
        test, val, clean: Without a group in common.
        leaky: Share -> a training set as large as ``clean``, with siblings of test subjects in it.
        siblings: Share -> those siblings.
        exposed: Share -> the test subjects that have a sibling in it.
    """

    test: np.ndarray
    val: np.ndarray
    clean: np.ndarray
    leaky: dict[float, np.ndarray]
    siblings: dict[float, np.ndarray]
    exposed: dict[float, np.ndarray]


def paired_sets(subjects: Subjects, shares: Sequence[float], seed: int = 0) -> Sets:
    """Draws the sets from a study that is split by whole groups.

    Of each test group with several subjects half stay in the test set, rounded up; the others are its siblings, held back from
    the clean set. Each that is injected takes the place of a training subject with the same modalities and labels.

    Args:
        subjects: With a split that cuts no group.
        shares: Of the test groups with siblings, those that leak; more leak with a larger share, never others.
        seed: Of the draw.

    Raises:
        DrifaError: A share is not in (0, 1], no test group has several subjects, or no training subject can make room.
    """
    for share in shares:
        if not 0 < share <= 1:
            raise DrifaError(f"--share {share:g} is no share of the test groups with siblings; give more than 0 and at most 1")
    random = np.random.default_rng(seed)
    drawn, val, clean = (random.permutation(subjects.in_split(name)) for name in ("test", "val", "train"))
    kept: list[int] = []
    held: dict[str, tuple[list[int], list[int]]] = {}
    by_group: dict[str, list[int]] = {}
    for row in drawn.tolist():
        by_group.setdefault(str(subjects.group[row]), []).append(row)
    for group, rows in by_group.items():
        staying = -(-len(rows) // 2)
        kept += rows[:staying]
        if len(rows) > 1:
            held[group] = (rows[:staying], rows[staying:])
    if not held:
        raise DrifaError(
            "no group of the test split holds two subjects, so that nothing can leak; group the study by what repeats in it, "
            "such as lesion or patient, or find twins with `drifa data audit STUDY --fix groups`"
        )
    leaky, siblings, exposed = {}, {}, {}
    groups = list(held)
    for share in shares:
        chosen = groups[: max(1, round(share * len(groups)))]
        siblings[share] = np.sort([row for group in chosen for row in held[group][1]])
        exposed[share] = np.sort([row for group in chosen for row in held[group][0]])
        leaky[share] = _exchanged(subjects, clean, siblings[share])
    return Sets(np.sort(kept), np.sort(val), np.sort(clean), leaky, siblings, exposed)


def _exchanged(subjects: Subjects, clean: np.ndarray, coming: np.ndarray) -> np.ndarray:
    """The clean set with as many of its subjects exchanged, each for one of the same modalities and labels."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for row in clean.tolist():
        alike.setdefault(_stratum(subjects, row), []).append(row)
    going = []
    for row in coming.tolist():
        room = alike.get(_stratum(subjects, row), [])
        if len(room) < 2:
            raise DrifaError(
                f"too few training subjects have the labels of {str(subjects.ids[row])!r} to make room for all siblings of "
                f"the test set; give smaller shares, fewer tasks with data.tasks, or a smaller test set with data.fractions"
            )
        going.append(room.pop())
    return np.sort(np.concatenate([clean[~np.isin(clean, going)], coming]))


def _stratum(subjects: Subjects, row: int) -> tuple[int, ...]:
    return (int(subjects.pattern[row]), *subjects.strata[row].tolist())


def column_of(share: float | None) -> str:
    """The column of the study that holds a training set, and the name of its arm."""
    return CLEAN if share is None else f"share-{share:g}"


def with_sets(study: Study, sets: Sets) -> Study:
    """The study with one column of splits per training set.

    Siblings get a group of their own, named GROUP (sibling), as no split may cut a group: here one is cut on purpose.
    """
    table = study.table.copy()
    subjects = study.subjects()
    codes, ids = subject_codes(table)
    group = np.array(subjects.group, dtype=object)
    for rows in sets.siblings.values():
        group[rows] = [f"{name} (sibling)" for name in subjects.group[rows]]
    table["group"] = group[codes]
    for share, train in [(None, sets.clean), *sets.leaky.items()]:
        side = np.full(len(ids), UNUSED, dtype=object)
        for name, rows in (("train", train), ("val", sets.val), ("test", sets.test)):
            side[rows] = name
        table[column_of(share)] = side[codes]
    table["split"] = ""
    return replace(study, table=table, split_protocol="")


def shares_in(study: Study) -> list[float]:
    """The shares whose sets a study holds already."""
    found = {name: float(name[6:]) for name in study.table if re.fullmatch(r"share-[\d.e-]+", name)}
    return [share for name, share in found.items() if column_of(share) == name]


def check_columns(begun: Study, held: Study, columns: Sequence[str], place: str | Path) -> None:
    """Refuses sets that were drawn from another split; of the same split, those of further shares leave the others as they are.

    Args:
        begun: With the sets of an earlier draw.
        held: With the same and further ones, drawn now.
        columns: Of the sets of the earlier draw.
        place: Of ``begun``, for errors.

    Raises:
        DrifaError: A set differs.
    """
    for name in ("subject", "modality", *columns):
        if name not in begun.table or begun.table[name].tolist() != held.table[name].tolist():
            raise DrifaError(
                f"{place} holds sets of another study or split (its column {name!r} differs); choose another --out, or give "
                f"the study and the data settings that it was begun with"
            )
