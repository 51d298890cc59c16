"""Curves behind two of the metrics: reliability (of ``ece``) and accuracy against coverage (of ``accuracy_at_*``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from drifa.metrics.classification import CALIBRATION_BINS, Judged, confidence_bin


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int = CALIBRATION_BINS) -> list[dict[str, Any]]:
    """How often the network is right, by how sure it says it is.

    Args:
        labels: True class of each image.
        probabilities: Class probabilities.
        bins: Number of equal-width bins of the confidence (the largest probability).

    Shape:
        labels [N], probabilities [N, C].

    Returns:
        One dict per bin: ``low`` (excluded) and ``high`` (included) edge, ``count`` of images, their mean ``confidence`` and
        their ``accuracy`` (both None in an empty bin). With the default bins, ``ece`` is the count-weighted mean of
        ``|confidence - accuracy|``.

    References:
        Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    judged = Judged(labels, probabilities)
    index, edges = confidence_bin(judged.confidence, bins), np.linspace(0, 1, bins + 1)
    rows = []
    for number in range(bins):
        inside = index == number
        count = int(inside.sum())
        rows.append(
            {
                "low": float(edges[number]),
                "high": float(edges[number + 1]),
                "count": count,
                "confidence": float(judged.confidence[inside].mean()) if count else None,
                "accuracy": float(judged.correct[inside].mean()) if count else None,
            }
        )
    return rows


def wilson_interval(share: float, count: int, level: float = 0.95) -> tuple[float, float]:
    """Limits of a share of independent cases, also of few and near 0 or 1.

    Args:
        share: Between 0 and 1.
        count: How many cases it is of; at least one.
        level: Confidence level.

    Returns:
        Lower and upper limit.

    References:
        Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.

    Examples:
        >>> [round(limit, 2) for limit in wilson_interval(0.9, 10)]
        [0.6, 0.98]
    """
    from scipy.stats import binomtest

    low, high = binomtest(round(share * count), count).proportion_ci(level, "wilson")
    return float(low), float(high)


def risk_coverage(
    labels: ArrayLike, probabilities: ArrayLike, uncertainty: ArrayLike | None = None, points: int = 50
) -> list[dict[str, float]]:
    """Accuracy on the least uncertain images, as more and more of them are kept.

    Args:
        labels: True class of each image.
        probabilities: Class probabilities.
        uncertainty: Grows with doubt; default 1 - the largest probability.
        points: Number of shares, evenly spaced up to all images; fewer rows come back when there are fewer images.

    Shape:
        labels [N], probabilities [N, C], uncertainty [N].

    Returns:
        Dicts of ``coverage`` (share of images kept, a whole number of images) and ``accuracy`` on them, in ascending
        coverage. Images of equal uncertainty share the last places evenly.

    References:
        Geifman and El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017.
    """
    judged = Judged(labels, probabilities, uncertainty)
    count = len(judged.labels)
    kept = np.unique(np.ceil(np.arange(1, points + 1) / points * count - 1e-9))
    accuracy = judged.accuracy_at(np.ones((1, count)), kept / count)[0]
    return [{"coverage": float(k / count), "accuracy": float(a)} for k, a in zip(kept, accuracy, strict=True)]
