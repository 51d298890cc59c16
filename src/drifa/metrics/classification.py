"""How well class probabilities agree with the truth: one number per metric, for any weighting of the images.

Argument order is always ``(labels, probabilities)``, truth first. The predicted class is the one of the largest
probability (argmax), never a threshold. What a metric does where it is undefined is fixed here, once:

* ``precision`` of a class that is never predicted is 0; precision and F1 are averaged over the classes that occur among
  the labels or the predictions (scikit-learn's convention).
* A class without images is left out of ``balanced_accuracy``, ``recall``, ``specificity`` and ``auc``; a class without
  *other* images is left out of ``specificity`` and ``auc`` as well.
* Where no class is left, and for ``error_auroc`` when all answers are right or all are wrong, the value is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drifa.metrics.weighted import Floats, Ranking, mean_defined, ratio, row_weights

Integers = NDArray[np.int64]

COVERAGES = (100, 90, 80, 50)
METRICS = (
    *("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "auc", "ece", "brier", "nll"),
    *(f"accuracy_at_{percent}" for percent in COVERAGES),
    "error_auroc",
)
CALIBRATION_BINS = 15


def classification_metrics(
    labels: ArrayLike,
    probabilities: ArrayLike,
    weights: ArrayLike | None = None,
    uncertainty: ArrayLike | None = None,
) -> dict[str, float]:
    """All metrics of one network on one set of images.

    Args:
        labels: True class of each image, an index from 0 to C - 1.
        probabilities: Class probabilities (softmax, not logits).
        weights: How often each image counts, whole numbers; the same as repeating rows. Default: once each.
        uncertainty: Any number that grows with doubt, used by ``accuracy_at_*`` and ``error_auroc``. Default: 1 - the
            largest probability.

    Shape:
        labels [N], probabilities [N, C], weights [N], uncertainty [N].

    Returns:
        The metrics named in ``METRICS``, as shares between 0 and 1 (``nll`` in nats, ``brier`` from 0 to 2); NaN where
        undefined (see the head of this file). ``accuracy_at_80`` is the accuracy on the 80 % of images with the lowest
        uncertainty; images with the same uncertainty share the last places evenly, so that row order does not matter.

    Raises:
        ValueError: A shape, a label, a probability, a weight or an uncertainty is not as described above.

    References:
        Guo et al., On calibration of modern neural networks, ICML 2017 (``ece``); Brier, Monthly Weather Review 1950;
        Geifman and El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017 (``accuracy_at_*``).

    Examples:
        >>> labels = [0, 0, 1, 1]
        >>> probabilities = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]]
        >>> found = classification_metrics(labels, probabilities)
        >>> found["accuracy"], found["auc"], round(found["brier"], 3)
        (0.75, 1.0, 0.21)
        >>> found["accuracy_at_50"]  # on the half that it is surest of
        1.0
    """
    judged = Judged(labels, probabilities, uncertainty)
    counts = row_weights(weights, len(judged))
    return {name: float(values[0]) for name, values in judged.measure(counts[None]).items()}


def per_class(labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str]) -> list[dict[str, Any]]:
    """One row per class, each class against the rest.

    Args:
        labels: True class of each image, an index from 0 to C - 1.
        probabilities: Class probabilities.
        classes: C class names, in the order of the columns.

    Shape:
        labels [N], probabilities [N, C].

    Returns:
        Dicts of ``class, support, precision, recall, specificity, f1, auc``; ``support`` counts images, the others are
        shares, None where undefined (ready for JSON).

    Raises:
        ValueError: The number of names is not C, or labels and probabilities are not valid.
    """
    judged = Judged(labels, probabilities)
    if len(classes) != judged.n_classes:
        raise ValueError(
            f"{len(classes)} class names for probabilities of {judged.n_classes} classes: give one name per column"
        )
    table = judged.by_class(np.ones((1, len(judged.labels))))
    rows: list[dict[str, Any]] = []
    for index, name in enumerate(classes):
        row: dict[str, Any] = {"class": str(name), "support": int((judged.labels == index).sum())}
        for metric, values in table.items():
            row[metric] = None if np.isnan(values[0, index]) else float(values[0, index])
        rows.append(row)
    return rows


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, n_classes: int) -> Integers:
    """Counts of images by true class (row) and predicted class (column).

    Shape:
        labels [N], predicted [N] -> [C, C].

    Raises:
        ValueError: The two differ in length, or one holds an index outside 0 to C - 1.
    """
    truth, answer = np.asarray(labels), np.asarray(predicted)
    if truth.shape != answer.shape or truth.ndim != 1:
        raise ValueError(f"labels {truth.shape} and predictions {answer.shape} must be two lists of the same length")
    truth, answer = class_indices(truth, n_classes, "label"), class_indices(answer, n_classes, "prediction")
    counts = np.bincount(truth * n_classes + answer, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


class Judged:
    """One network's answers on N images, sorted once so that any number of weightings is judged cheaply.

    The bootstrap calls ``measure`` with thousands of weightings; ``classification_metrics`` with a single one.

    Args:
        labels: True class of each image.
        probabilities: Class probabilities.
        uncertainty: Grows with doubt; default 1 - the largest probability.

    Shape:
        labels [N], probabilities [N, C], uncertainty [N].
    """

    def __init__(self, labels: ArrayLike, probabilities: ArrayLike, uncertainty: ArrayLike | None = None) -> None:
        p = probability_table(probabilities)
        count, self.n_classes = p.shape
        truth = np.asarray(labels)
        if truth.shape != (count,):
            raise ValueError(
                f"labels of shape {truth.shape} do not fit probabilities of shape {p.shape}: give one label per row"
            )
        self.labels = class_indices(truth, self.n_classes, "label")
        self.predicted = p.argmax(axis=1)
        self.confidence = p.max(axis=1)
        self.correct = (self.predicted == self.labels).astype(np.float64)
        doubt = 1 - self.confidence if uncertainty is None else np.asarray(uncertainty, dtype=np.float64)
        if doubt.shape != (count,) or not np.isfinite(doubt).all():
            raise ValueError(f"uncertainty of shape {doubt.shape} must hold one finite number for each of the {count} images")

        identity = np.eye(self.n_classes)
        self._truth, self._answer = identity[self.labels], identity[self.predicted]
        self._per_image = np.stack(
            [self.correct, ((p - self._truth) ** 2).sum(axis=1), -np.log(np.maximum((p * self._truth).sum(axis=1), 1e-12))],
            axis=1,
        )
        in_bin = np.eye(CALIBRATION_BINS)[confidence_bin(self.confidence, CALIBRATION_BINS)]
        self._gap_in_bin = in_bin * (self.confidence - self.correct)[:, None]
        self._by_score = [Ranking(p[:, index]) for index in range(self.n_classes)]
        self._by_doubt = Ranking(doubt)

    def __len__(self) -> int:
        return len(self.labels)

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Every metric under each of R weightings.

        Args:
            weights: How often each image counts in each weighting; no row may be all zero.

        Shape:
            weights [R, N] -> each metric [R].
        """
        total = weights.sum(axis=1)
        accuracy, brier, nll = (weights @ self._per_image / total[:, None]).T
        table = self.by_class(weights)
        without_images = np.isnan(table["recall"])
        recall = mean_defined(table["recall"], axis=1)
        metrics = {
            "accuracy": accuracy,
            "balanced_accuracy": recall,
            "precision": mean_defined(table["precision"], axis=1),
            "recall": recall,
            "f1": mean_defined(table["f1"], axis=1),
            "specificity": mean_defined(np.where(without_images, np.nan, table["specificity"]), axis=1),
            "auc": mean_defined(table["auc"], axis=1),
            "ece": np.abs(weights @ self._gap_in_bin).sum(axis=1) / total,
            "brier": brier,
            "nll": nll,
        }
        shares = np.array(COVERAGES) / 100
        for percent, values in zip(COVERAGES, self.accuracy_at(weights, shares).T, strict=True):
            metrics[f"accuracy_at_{percent}"] = values
        metrics["error_auroc"] = self._by_doubt.auc(weights, self.correct == 0)
        return metrics

    def by_class(self, weights: Floats) -> dict[str, Floats]:
        """Precision, recall, specificity, F1 and AUC of each class against the rest, [R, N] -> each [R, C]."""
        total = weights.sum(axis=1, keepdims=True)
        support, called = weights @ self._truth, weights @ self._answer
        hits = weights @ (self._truth * self._answer)
        occurs = support + called > 0
        return {
            "precision": np.where(occurs & (called == 0), 0.0, ratio(hits, called)),
            "recall": ratio(hits, support),
            "specificity": ratio(total - support - called + hits, total - support),
            "f1": ratio(2 * hits, support + called),
            "auc": np.stack([rank.auc(weights, self.labels == index) for index, rank in enumerate(self._by_score)], axis=1),
        }

    def accuracy_at(self, weights: Floats, shares: Floats) -> Floats:
        """Accuracy on the given shares of least uncertain images, rounded up to whole images.

        Shape:
            weights [R, N], shares [S] -> [R, S].
        """
        return self._by_doubt.mean_of_lowest(weights, self.correct, shares)


def confidence_bin(confidence: Floats, bins: int) -> Integers:
    """Index of the equal-width bin of [0, 1] that a confidence falls into; the upper edge belongs to the bin."""
    inner_edges = np.linspace(0, 1, bins + 1)[1:-1]
    return np.searchsorted(inner_edges, confidence, side="left").astype(np.int64)


def class_indices(values: NDArray[Any], n_classes: int, noun: str = "label") -> Integers:
    """The values as class indices, checked.

    Args:
        values: Numbers that should be whole and lie between 0 and C - 1. ``[N]``
        n_classes: C.
        noun: What they are, for the error.

    Raises:
        ValueError: One is not a class index.
    """
    wrong = np.flatnonzero(~np.isin(values, np.arange(n_classes)))
    if wrong.size:
        raise ValueError(
            f"{noun} {values.tolist()[wrong[0]]!r} in row {wrong[0]} is not a class index: give whole numbers from 0 to "
            f"{n_classes - 1} and leave out images without a label"
        )
    return values.astype(np.int64)


def probability_table(values: ArrayLike) -> Floats:
    """The values as class probabilities ``[N, C]``, checked.

    Raises:
        ValueError: They are no table, or a row is negative or does not sum to 1.
    """
    p = np.asarray(values, dtype=np.float64)
    if p.ndim != 2 or 0 in p.shape:
        raise ValueError(f"probabilities of shape {p.shape} must be a table of N images by C classes, neither of them 0")
    wrong = np.flatnonzero(~((p >= -1e-6).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-2)))
    if wrong.size:
        raise ValueError(
            f"probabilities {p[wrong[0]].tolist()} in row {wrong[0]} are negative or do not sum to 1: apply softmax first"
        )
    return p
