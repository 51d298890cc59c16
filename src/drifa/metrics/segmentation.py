"""How well segmented volumes agree with the truth: a table with a row per subject and region, then means with intervals.

What a metric does where it is undefined is fixed here, once:

* Truth and prediction both empty: Dice 1, HD95 0. Exactly one of them empty, a *miss*: Dice 0, and HD95 is the diagonal of the
  volume in mm (373.13 for 240 x 240 x 155 voxels of 1 mm), so that a miss cannot improve a mean by dropping out of it.
* ``sensitivity`` of an empty truth is undefined (NaN), and so is ``specificity`` of a truth that fills the volume; such a
  subject is left out of that mean alone.
* ``dice_present`` is Dice over the subjects whose truth has the region, and NaN for the others.
* ``accuracy`` is judged inside the brain, slice by slice: over a whole volume it is 99 % for a prediction of nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drifa.metrics.intervals import Interval, mean_interval

Bools = NDArray[np.bool_]

VOLUME_METRICS = ("dice", "dice_present", "sensitivity", "specificity", "hd95", "missed", "accuracy")
PERCENTILE = 95


class VolumeMean(Interval):
    """A mean over subjects with its interval, their standard deviation and the number of them that define it."""

    sd: float | None
    n: int


def judge_volume(
    truth: Bools, predicted: Bools, regions: Sequence[str], spacing: Sequence[float], brain: Bools | None = None
) -> list[dict[str, Any]]:
    """The metrics of one subject.

    Args:
        truth: Voxels of each region, on the grid of the subject's own volume.
        predicted: Those of the prediction.
        regions: Names.
        spacing: Size of a voxel along each axis, mm.
        brain: Where there is tissue at all, for ``accuracy``; None leaves that NaN. Slices run along the last axis.

    Shape:
        truth and predicted [R, X, Y, Z], spacing [3], brain [X, Y, Z].

    Returns:
        One row per region: ``region``, the metrics in ``VOLUME_METRICS`` (shares from 0 to 1, ``hd95`` in mm, ``missed`` 0 or
        1), ``truth_ml`` and ``predicted_ml``. Add ``subject`` and, where subjects belong together, ``group`` to make the table
        of :func:`summarise_volumes`.

    Raises:
        ValueError: A shape or a type is not as described above.

    Examples:
        A prediction that misses one of two voxels, each of 1 x 1 x 5 mm.

        >>> import numpy as np
        >>> truth, predicted = np.zeros((2, 1, 4, 4, 2), dtype=bool)
        >>> truth[0, 1, 1:3, 0] = predicted[0, 1, 1, 0] = True
        >>> (row,) = judge_volume(truth, predicted, ["tumour"], spacing=[1.0, 1.0, 5.0])
        >>> row["region"], round(row["dice"], 3), row["truth_ml"], row["predicted_ml"]
        ('tumour', 0.667, 0.01, 0.005)
    """
    _check(truth, predicted, regions, spacing, brain)
    millilitres = float(np.prod(spacing)) / 1000
    rows = []
    for name, t, p in zip(regions, truth, predicted, strict=True):
        both, in_truth, in_predicted = (int(np.count_nonzero(x)) for x in (t & p, t, p))
        outside, wrong = t.size - in_truth, in_predicted - both
        dice = 2 * both / (in_truth + in_predicted) if in_truth or in_predicted else 1.0
        rows.append(
            {
                "region": name,
                "dice": dice,
                "dice_present": dice if in_truth else np.nan,
                "sensitivity": both / in_truth if in_truth else np.nan,
                "specificity": (outside - wrong) / outside if outside else np.nan,
                "hd95": hausdorff95(t, p, spacing),
                "missed": float((in_truth == 0) != (in_predicted == 0)),
                "accuracy": np.nan if brain is None else _slice_accuracy(t == p, brain),
                "truth_ml": in_truth * millilitres,
                "predicted_ml": in_predicted * millilitres,
            }
        )
    return rows


def hausdorff95(truth: Bools, predicted: Bools, spacing: Sequence[float]) -> float:
    """The 95th percentile of the distances from one surface to the other, the larger of both directions, in mm.

    A surface is the set of a region's voxels with a neighbour (across a face) outside the region. Empty regions: see the head
    of this file. A volume of one slice is judged as an image.

    Args:
        truth: Voxels of the region.
        predicted: Those of the prediction.
        spacing: Size of a voxel along each axis, mm.

    Shape:
        truth and predicted [X, Y, Z], spacing [3].

    References:
        Huttenlocher et al., Comparing images using the Hausdorff distance, TPAMI 1993; the percentile per direction as in
        Menze et al., BraTS, TMI 2015.
    """
    some = [bool(truth.any()), bool(predicted.any())]
    if not all(some):
        return float(np.linalg.norm(np.multiply(truth.shape, spacing))) if any(some) else 0.0
    from scipy.spatial import cKDTree

    flat = tuple(axis for axis, size in enumerate(truth.shape) if size == 1)
    steps = np.delete(np.asarray(spacing, dtype=np.float64), flat)
    # Points in a tree rather than a distance map: two far voxels do not make it a map of the whole volume.
    a, b = (_surface(volume.squeeze(flat)) * steps for volume in (truth, predicted))
    to_b, to_a = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    return float(max(np.percentile(to_b, PERCENTILE), np.percentile(to_a, PERCENTILE)))


def summarise_volumes(
    table: pd.DataFrame, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, dict[str, VolumeMean]]:
    """Means over subjects, with percentile intervals over subjects (or whole groups of them) drawn with replacement.

    Args:
        table: Rows of :func:`judge_volume` with a column ``subject`` and, if several subjects belong together, ``group``.
        resamples: Number of times that the groups are drawn anew.
        level: Share of the resamples between ``low`` and ``high``.
        seed: The same seed and groups give the same resamples.

    Returns:
        Region -> metric -> ``{"value", "low", "high", "sd", "n"}``: the mean, its interval, the standard deviation over
        subjects (n - 1) and the number of subjects for which the metric is defined; None where undefined. ``missed`` is a
        share: ``value * n`` subjects were missed, and count in ``hd95`` at the diagonal.
    """
    by = "group" if "group" in table else "subject"
    return {
        str(region): {
            metric: _mean(rows[metric].to_numpy(dtype=np.float64), rows[by], resamples, level, seed, rate=metric == "missed")
            for metric in VOLUME_METRICS
        }
        for region, rows in table.groupby("region", sort=False)
    }


def _mean(values: np.ndarray, groups: pd.Series, resamples: int, level: float, seed: int, rate: bool) -> VolumeMean:
    found = mean_interval(values, groups.to_numpy(), resamples, level, seed, rate)
    defined = values[~np.isnan(values)]
    return {**found, "sd": float(defined.std(ddof=1)) if len(defined) > 1 else None, "n": len(defined)}


def _surface(volume: Bools) -> NDArray[np.int64]:
    """Indices of the voxels on the surface. ``[N, axes]``"""
    from scipy.ndimage import binary_erosion, find_objects

    box = find_objects(volume.astype(np.uint8))[0]
    inside = volume[box]
    corner = np.array([axis.start for axis in box])
    return np.argwhere(inside & ~binary_erosion(inside)) + corner


def _slice_accuracy(agrees: Bools, brain: Bools) -> float:
    sizes = brain.sum(axis=(0, 1))
    some = sizes > 0
    return float(((agrees & brain).sum(axis=(0, 1))[some] / sizes[some]).mean()) if some.any() else float("nan")


def _check(truth: Bools, predicted: Bools, regions: Sequence[str], spacing: Sequence[float], brain: Bools | None) -> None:
    if truth.ndim != 4 or truth.shape != predicted.shape or len(truth) != len(regions):
        raise ValueError(
            f"truth {truth.shape} and predicted {predicted.shape} must both be [regions, X, Y, Z] with {len(regions)} regions"
        )
    if truth.dtype != bool or predicted.dtype != bool:
        raise ValueError(
            f"truth and predicted must be bool, not {truth.dtype} and {predicted.dtype}: threshold probabilities first"
        )
    if len(spacing) != 3 or min(spacing) <= 0:
        raise ValueError(f"spacing {tuple(spacing)} must be three sizes in mm, all above zero")
    if brain is not None and (brain.shape != truth.shape[1:] or brain.dtype != bool):
        raise ValueError(f"brain must be bool {truth.shape[1:]}, not {brain.dtype} {brain.shape}")
