"""Metrics: they agree with scikit-learn, weights repeat rows, and nothing depends on the order of the rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from drifa.metrics.classification import METRICS, classification_metrics, confusion_matrix, per_class


def answers(seed: int, count: int = 120, n_classes: int = 4, decimals: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Labels and somewhat informative probabilities; rounded scores have ties."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, n_classes, count)
    logits = random.normal(size=(count, n_classes)) + 1.5 * np.eye(n_classes)[labels]
    if decimals is not None:
        logits = np.round(logits, decimals)
    p = np.exp(logits)
    return labels, p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_agrees_with_scikit_learn(n_classes: int) -> None:
    labels, p = answers(seed=n_classes, count=200, n_classes=n_classes)
    predicted = p.argmax(axis=1)
    ours = classification_metrics(labels, p)
    assert tuple(ours) == METRICS
    precision, recall, f1, _ = reference.precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    auc = (
        reference.roc_auc_score(labels, p[:, 1])
        if n_classes == 2
        else reference.roc_auc_score(labels, p, multi_class="ovr", average="macro")
    )
    expected = {
        "accuracy": reference.accuracy_score(labels, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "auc": auc,
        "nll": reference.log_loss(labels, p, labels=range(n_classes)),
        "brier": np.mean(np.sum((p - np.eye(n_classes)[labels]) ** 2, axis=1)),
        "error_auroc": reference.roc_auc_score(predicted != labels, 1 - p.max(axis=1)),
        "accuracy_at_100": reference.accuracy_score(labels, predicted),
    }
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, abs=1e-12), name
    np.testing.assert_array_equal(confusion_matrix(labels, predicted, n_classes), reference.confusion_matrix(labels, predicted))


def test_specificity_and_ece_by_hand() -> None:
    labels = [0, 0, 1, 1]
    p = [[0.95, 0.05], [0.45, 0.55], [0.04, 0.96], [0.03, 0.97]]
    ours = classification_metrics(labels, p)
    assert ours["specificity"] == pytest.approx((2 / 2 + 1 / 2) / 2)
    # Bins of width 1/15: 0.55 alone (wrong), 0.95, 0.96 and 0.97 together (right).
    assert ours["ece"] == pytest.approx((0.55 + 3 * (1 - 0.96)) / 4)
    assert ours["accuracy_at_50"] == 1
    assert ours["accuracy_at_80"] == 3 / 4
    assert ours["error_auroc"] == 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), decimals=st.sampled_from([None, 0]), own_doubt=st.booleans())
def test_weights_are_repetition_and_order_is_nothing(seed: int, decimals: int | None, own_doubt: bool) -> None:
    labels, p = answers(seed, count=30, n_classes=3, decimals=decimals)
    random = np.random.default_rng(seed)
    weights = random.integers(0, 4, len(labels))
    weights[0] += 1
    doubt = np.round(random.uniform(size=len(labels)), 1) if own_doubt else None
    weighted = classification_metrics(labels, p, weights, doubt)
    rows = random.permutation(np.repeat(np.arange(len(labels)), weights))
    repeated = classification_metrics(labels[rows], p[rows], uncertainty=None if doubt is None else doubt[rows])
    for name in METRICS:
        assert weighted[name] == pytest.approx(repeated[name], abs=1e-12, nan_ok=True), name


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_class_names_are_arbitrary(seed: int) -> None:
    labels, p = answers(seed, count=40, n_classes=4)
    order = np.random.default_rng(seed).permutation(4)
    renamed = np.argsort(order)[labels]
    for name, value in classification_metrics(renamed, p[:, order]).items():
        assert value == pytest.approx(classification_metrics(labels, p)[name], abs=1e-12), name


def test_a_perfect_network() -> None:
    labels = np.array([0, 1, 2, 1])
    ours = classification_metrics(labels, np.eye(3)[labels])
    assert np.isnan(ours.pop("error_auroc"))
    for name, value in ours.items():
        assert value == (0 if name in {"ece", "brier", "nll"} else 1), name


def test_a_network_that_always_says_the_same() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2] * 1)
    ours = classification_metrics(labels, np.tile([0.6, 0.3, 0.1], (10, 1)))
    assert [ours["accuracy"], ours["accuracy_at_50"], ours["accuracy_at_90"]] == pytest.approx([0.6] * 3)
    assert ours["balanced_accuracy"] == pytest.approx(1 / 3)
    assert ours["precision"] == pytest.approx(0.6 / 3)
    assert ours["auc"] == ours["error_auroc"] == 0.5
    assert ours["ece"] == pytest.approx(0)


def test_classes_without_images_are_left_out() -> None:
    labels, p = answers(seed=1, n_classes=3)
    with_phantom = np.column_stack([p, np.zeros(len(p))])
    for name, value in classification_metrics(labels, with_phantom).items():
        assert value == pytest.approx(classification_metrics(labels, p)[name], abs=1e-12), name
    called = np.array([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    ours = classification_metrics([0, 0, 1], called)
    assert ours["recall"] == ours["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)
    assert ours["precision"] == pytest.approx((1 + 1 + 0) / 3)


def test_one_class_only_leaves_ranking_undefined() -> None:
    ours = classification_metrics([1, 1], [[0.2, 0.8], [0.6, 0.4]])
    assert np.isnan(ours["auc"])
    assert np.isnan(ours["specificity"])
    assert ours["accuracy"] == ours["recall"] == 0.5


def test_a_calibrated_network_has_a_small_calibration_error() -> None:
    random = np.random.default_rng(0)
    p = random.dirichlet([1, 1, 1], size=20_000)
    labels = (random.uniform(size=(20_000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert classification_metrics(labels, p)["ece"] < 0.01
    sharper = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert classification_metrics(labels, sharper)["ece"] > 0.1


def test_own_uncertainty_only_changes_what_depends_on_it() -> None:
    labels, p = answers(seed=3)
    plain = classification_metrics(labels, p)
    oracle = classification_metrics(labels, p, uncertainty=(p.argmax(axis=1) != labels).astype(float))
    changed = {name for name in METRICS if plain[name] != oracle[name]}
    assert changed == {"accuracy_at_90", "accuracy_at_80", "accuracy_at_50", "error_auroc"}
    assert oracle["error_auroc"] == 1
    assert oracle["accuracy_at_50"] == 1


def test_per_class_rows_average_to_the_macro_metrics_and_fit_json() -> None:
    labels, p = answers(seed=5)
    rows = per_class(labels, p, ["a", "b", "c", "d"])
    ours = classification_metrics(labels, p)
    assert sum(row["support"] for row in rows) == len(labels)
    for name in ("precision", "recall", "specificity", "f1", "auc"):
        assert np.mean([row[name] for row in rows]) == pytest.approx(ours[name])
    empty = per_class(labels, np.column_stack([p, np.zeros(len(p))]), ["a", "b", "c", "d", "e"])[-1]
    assert empty == {"class": "e", "support": 0, "precision": None, "recall": None, "specificity": 1.0, "f1": None, "auc": None}
    json.dumps(empty, allow_nan=False)


@pytest.mark.parametrize(
    ("labels", "p", "message"),
    [
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "label .*2.* in row 1 .* from 0 to 1"),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], "leave out images without a label"),
        ([0], [[0.5, 0.5], [0.5, 0.5]], "one label per row"),
        ([0, 1], [[2.0, -1.0], [0.5, 0.5]], "row 0 .* softmax"),
        ([0, 1], [[0.5, 0.5], [float("nan"), 0.5]], "row 1 .* softmax"),
        ([], np.empty((0, 2)), "table of N images by C classes"),
    ],
)
def test_wrong_input_is_named(labels: list[int], p: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classification_metrics(labels, p)


def test_wrong_weights_uncertainty_and_names_are_named() -> None:
    labels, p = answers(seed=0, count=4, n_classes=2)
    for weights in ([1, 1], [0.5, 1, 1, 1], [0, 0, 0, 0], [-1, 1, 1, 1]):
        with pytest.raises(ValueError, match="weights of shape"):
            classification_metrics(labels, p, weights)
    with pytest.raises(ValueError, match="one finite number for each of the 4 images"):
        classification_metrics(labels, p, uncertainty=[0.1, np.nan, 0.2, 0.3])
    with pytest.raises(ValueError, match="one name per column"):
        per_class(labels, p, ["only"])
    with pytest.raises(ValueError, match=r"prediction .*9.* in row 1"):
        confusion_matrix([0, 1], [0, 9], 2)
