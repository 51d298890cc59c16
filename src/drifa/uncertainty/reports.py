"""What calibrations and sets did, on images that they were not fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drifa.errors import DrifaError
from drifa.metrics.intervals import Interval, bootstrap, mean_interval, paired_difference
from drifa.metrics.weighted import Floats
from drifa.uncertainty.records import check_groups

#: What is compared before and after a calibration.
REPORTED = ("ece", "nll", "brier", "accuracy")


def calibration_report(
    labels: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Interval]]:
    """What a calibration changed, on images that it was not fitted on.

    Args:
        labels: True class of each image. ``[N]``
        before: Probabilities. ``[N, C]``
        after: Calibrated probabilities. ``[N, C]``
        groups: Patient or lesion of each image. ``[N]``
        resamples: Number of times that the groups are drawn anew.
        seed: The same seed and groups give the same resamples.

    Returns:
        Metric in ``REPORTED`` -> ``before``, ``after`` and ``difference`` (after minus before, on the same resamples), each
        with its interval.
    """
    p, q = np.asarray(before)[None], np.asarray(after)[None]
    first, second = (bootstrap(labels, one, groups, resamples=resamples, seed=seed) for one in (p, q))
    return {
        metric: {
            "before": first[metric],
            "after": second[metric],
            "difference": paired_difference(labels, q, p, groups, metric, resamples, seed=seed),
        }
        for metric in REPORTED
    }


def coverage_report(
    labels: ArrayLike,
    sets: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    classes: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """How often prediction sets hold the truth, and how large they are, in all and for each true class.

    Args:
        labels: True class of each image. ``[N]``
        sets: Which classes are in the set of each image. bool ``[N, C]``
        groups: Patient or lesion of each image. ``[N]``
        classes: C names.
        resamples: Number of times that the groups are drawn anew.
        seed: The same seed and groups give the same resamples.

    Returns:
        One dict for all images (its ``class`` is None), then one per class: ``class``, ``images``, ``groups``, and with their
        intervals over groups ``coverage`` (share of images whose set holds the truth), ``group_coverage`` (the mean over groups
        of that share, which sets fitted on a random image per group promise), ``whole_groups`` (share of groups in which
        every set holds it, promised by the largest), ``size`` (classes in a set), ``empty`` and ``single`` (shares of sets of
        no class and of one).

    Raises:
        DrifaError: Labels, sets, groups and classes do not fit each other.
    """
    truth, inside = check_truth(labels, classes), np.asarray(sets)
    if inside.shape != (len(truth), len(classes)) or inside.dtype != bool:
        raise DrifaError(
            f"sets of shape {inside.shape} and type {inside.dtype} do not fit {len(truth)} labels and {len(classes)} classes: "
            "give one row of true and false per image, one column per class"
        )
    case = check_groups(groups, len(truth))
    holds, size = inside[np.arange(len(truth)), truth].astype(float), inside.sum(axis=1)

    def row(name: str | None, part: NDArray[np.bool_]) -> dict[str, Any]:
        own, number, images = np.unique(case[part], return_inverse=True, return_counts=True)
        share = np.bincount(number, holds[part]) / images

        def interval(values: Floats, of: NDArray[np.int64], rate: bool = True) -> Interval:
            return mean_interval(values, of, resamples, seed=seed, rate=rate)

        return {
            "class": name,
            "images": int(part.sum()),
            "groups": len(own),
            "coverage": interval(holds[part], case[part]),
            "group_coverage": interval(share, own),
            "whole_groups": interval(np.floor(share), own),
            "size": interval(size[part], case[part], rate=False),
            "empty": interval(size[part] == 0, case[part]),
            "single": interval(size[part] == 1, case[part]),
        }

    everyone = row(None, np.ones(len(truth), dtype=bool))
    return [everyone, *(row(str(name), truth == index) for index, name in enumerate(classes))]


def abstention_report(
    labels: ArrayLike,
    wrong: ArrayLike,
    kept: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    classes: Sequence[str],
    subgroups: Mapping[str, Sequence[object] | ArrayLike] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """What is still answered, and how often wrongly, in all, for each true class and in each subgroup.

    A promise for all cases is none for a class or a subgroup by itself: here is where it shows.

    Args:
        labels: True class of each image. ``[N]``
        wrong: Whether the answer is wrong. bool ``[N]``
        kept: Whether it is given. bool ``[N]``
        groups: Patient or lesion of each image. ``[N]``
        classes: C names.
        subgroups: Name -> value of each image, for example ``{"sex": [...]}``. ``[N]`` each
        resamples: Number of times that the groups are drawn anew.
        seed: The same seed and groups give the same resamples.

    Returns:
        One dict for all images (``by`` and ``value`` are None), one per class (``by`` is ``class``), then one per value of each
        subgroup: ``by``, ``value``, ``images``, ``groups``, ``kept`` (images answered), and with their intervals over groups
        ``coverage`` (share of images answered), ``risk`` (share of wrong answers among those given) and ``risk_of_all`` (if
        all were answered).

    Raises:
        DrifaError: The arguments do not have one entry per image, or a label is no class index.
    """
    truth = check_truth(labels, classes)
    fault, given = np.asarray(wrong), np.asarray(kept)
    for name, column in (("wrong", fault), ("kept", given)):
        if column.shape != truth.shape or column.dtype != bool:
            raise DrifaError(
                f"{name} of shape {column.shape} and type {column.dtype} does not fit {len(truth)} labels: give one true or "
                "false per image"
            )
    case = check_groups(groups, len(truth))

    def row(by: str | None, value: str | None, part: NDArray[np.bool_]) -> dict[str, Any]:
        def interval(values: ArrayLike, of: NDArray[np.bool_]) -> Interval:
            return mean_interval(values, case[of], resamples, seed=seed, rate=True)

        answered = part & given
        return {
            "by": by,
            "value": value,
            "images": int(part.sum()),
            "groups": len(np.unique(case[part])),
            "kept": int(answered.sum()),
            "coverage": interval(given[part], part),
            "risk": interval(fault[answered], answered),
            "risk_of_all": interval(fault[part], part),
        }

    rows = [row(None, None, np.ones(len(truth), dtype=bool))]
    rows += [row("class", str(name), truth == index) for index, name in enumerate(classes)]
    for by, owners in (subgroups or {}).items():
        values = np.asarray(owners).astype(str)
        if values.shape != truth.shape:
            raise DrifaError(
                f"subgroup {by!r} of shape {values.shape} does not fit {len(truth)} labels: give one value per image"
            )
        rows += [row(str(by), str(value), values == value) for value in np.unique(values)]
    return rows


def check_truth(labels: ArrayLike, classes: Sequence[str]) -> NDArray[np.int64]:
    """True classes as indices, checked.

    Raises:
        DrifaError: A label is no class index.
    """
    truth = np.asarray(labels)
    wrong = np.flatnonzero(~np.isin(truth, np.arange(len(classes))))
    if wrong.size:
        raise DrifaError(f"label {truth.tolist()[wrong[0]]!r} in row {wrong[0]} is not a class index below {len(classes)}")
    return truth.astype(np.int64)
