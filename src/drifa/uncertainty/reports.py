"""What calibrations and sets did, on images that they were not fitted on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from drifa.metrics.intervals import Interval, bootstrap, paired_difference

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
