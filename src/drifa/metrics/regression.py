"""How far predicted numbers lie from the true ones: one number per metric, for any weighting of the subjects.

Argument order is always ``(truth, predicted)``, truth first; both are in the task's own unit, such as years. What a metric does
where it is undefined is fixed here, once:

* ``r2`` is NaN where the truth is constant: there is no spread to explain.
* ``pearson`` is NaN where the truth or the prediction is constant.
* Without a standard deviation, the metrics of it are left out; NaN would look like a metric that failed.
"""

from __future__ import annotations

from math import log, pi

import numpy as np
from numpy.typing import ArrayLike

from drifa.metrics.weighted import Floats, Ranking, ratio, row_weights

NUMBER_METRICS = ("mae", "rmse", "r2", "pearson")
#: Metrics of the stated standard deviation, reported only where there is one.
SPREAD_METRICS = ("nll", "coverage_90", "mae_at_80")
# 90 % of a normal distribution lie within this many standard deviations of its mean.
REACH_90 = 1.645


def regression_metrics(
    truth: ArrayLike, predicted: ArrayLike, std: ArrayLike | None = None, weights: ArrayLike | None = None
) -> dict[str, float]:
    """All metrics of one network on one set of subjects.

    Args:
        truth: True number of each subject.
        predicted: Predicted number, the mean of the predictive distribution.
        std: Predictive standard deviation, above 0.
        weights: How often each subject counts, whole numbers; the same as repeating rows. Default: once each.

    Shape:
        truth [N], predicted [N], std [N], weights [N].

    Returns:
        The metrics named in ``NUMBER_METRICS`` and, given ``std``, those in ``SPREAD_METRICS``; NaN where undefined (see the
        head of this file). ``mae``, ``rmse`` and ``mae_at_80`` are in the unit of the truth. ``r2`` compares with answering
        the mean of these truths: 1 is perfect, 0 no better than that mean, below 0 worse. ``nll`` is that of a normal
        distribution, in nats, with its constant; it depends on the unit and can be negative. ``coverage_90`` is the share of
        truths within 1.645 standard deviations, 0.9 for an honest normal distribution. ``mae_at_80`` is the mean absolute
        error on the 80 % of subjects with the smallest ``std``; subjects with the same one share the last places evenly, so
        that row order does not matter.

    Raises:
        ValueError: A shape, a number or a weight is not as described above.

    References:
        Gneiting and Raftery, Strictly proper scoring rules, prediction, and estimation, JASA 2007 (``nll``); Geifman and
        El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017 (the idea of ``mae_at_80``).

    Examples:
        >>> found = regression_metrics(truth=[50.0, 60.0, 70.0], predicted=[50.0, 63.0, 67.0], std=[2.0, 2.0, 1.0])
        >>> found["mae"], round(found["r2"], 2)
        (2.0, 0.91)
        >>> round(found["coverage_90"], 2)  # the last truth lies three deviations off
        0.67
    """
    judged = JudgedNumbers(truth, predicted, std)
    counts = row_weights(weights, len(judged))
    return {name: float(values[0]) for name, values in judged.measure(counts[None]).items()}


class JudgedNumbers:
    """One network's numbers for N subjects, sorted once so that any number of weightings is judged cheaply.

    The bootstrap calls ``measure`` with thousands of weightings; ``regression_metrics`` with a single one.

    Args:
        truth: True number of each subject.
        predicted: Predicted number.
        std: Predictive standard deviation, above 0; None leaves the metrics of it out.

    Shape:
        truth [N], predicted [N], std [N].
    """

    def __init__(self, truth: ArrayLike, predicted: ArrayLike, std: ArrayLike | None = None) -> None:
        self.truth = np.asarray(truth, dtype=np.float64)
        if self.truth.ndim != 1 or not self.truth.size or not np.isfinite(self.truth).all():
            raise ValueError(
                f"truth of shape {self.truth.shape} must hold one or more finite numbers: leave out subjects without one"
            )
        self.predicted = self._beside_truth(predicted, "predicted")
        self.std = None if std is None else self._beside_truth(std, "std")
        error = np.abs(self.predicted - self.truth)
        per_subject, self._error = [error, error**2], error
        if self.std is not None:
            wrong = np.flatnonzero(self.std <= 0)
            if wrong.size:
                raise ValueError(
                    f"std {self.std[wrong[0]]} in row {wrong[0]} is not above 0: give standard deviations, not their logarithms"
                )
            # The quotient is squared, not its parts: the square of a small standard deviation would be 0.
            nll = (log(2 * pi) + (error / self.std) ** 2) / 2 + np.log(self.std)
            per_subject += [nll, (error <= REACH_90 * self.std).astype(np.float64)]
            self._by_std = Ranking(self.std)
        self._per_subject = np.stack(per_subject, axis=1)

    def __len__(self) -> int:
        return len(self.truth)

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Every metric under each of R weightings.

        Args:
            weights: How often each subject counts in each weighting; no row may be all zero.

        Shape:
            weights [R, N] -> each metric [R].
        """
        total = weights.sum(axis=1)
        mae, mse, *of_std = (weights @ self._per_subject / total[:, None]).T
        truth, truth_spread = _centred(self.truth, weights)
        predicted, predicted_spread = _centred(self.predicted, weights)
        together = (weights * truth * predicted).sum(axis=1)
        metrics = {
            "mae": mae,
            "rmse": np.sqrt(mse),
            "r2": 1 - ratio(mse * total, truth_spread),
            # Two roots, since the product of two small spreads would be 0; rounding may pass 1 by the last digit.
            "pearson": np.clip(ratio(together, np.sqrt(truth_spread) * np.sqrt(predicted_spread)), -1, 1),
        }
        if self.std is not None:
            nll, covered = of_std
            at_80 = self._by_std.mean_of_lowest(weights, self._error, np.array([0.8]))[:, 0]
            metrics |= {"nll": nll, "coverage_90": covered, "mae_at_80": at_80}
        return metrics

    def _beside_truth(self, values: ArrayLike, noun: str) -> Floats:
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.shape != self.truth.shape or not np.isfinite(numbers).all():
            raise ValueError(
                f"{noun} of shape {numbers.shape} must hold one finite number for each of the {len(self.truth)} subjects"
            )
        return numbers


def _centred(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Deviations from each weighting's own mean, and the weighted sum of their squares, 0 where the values are constant.

    Centred before anything is squared: years of birth differ by little compared with their size, and the difference of two
    large sums of squares would lose it.

    Shape:
        values [N], weights [R, N] -> [R, N], [R].
    """
    about = values - values.mean()
    mean = weights @ about / weights.sum(axis=1)
    deviations = about - mean[:, None]
    drawn = weights > 0
    # Compared, not computed: a mean of equal numbers may differ from them by a rounding error, which is no spread.
    constant = np.where(drawn, values, -np.inf).max(axis=1) == np.where(drawn, values, np.inf).min(axis=1)
    return deviations, np.where(constant, 0.0, (weights * deviations**2).sum(axis=1))
