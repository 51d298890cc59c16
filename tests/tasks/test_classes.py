"""Classes: the contract, and what belongs to them alone."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from drifa.data.targets import ClassTarget
from drifa.tasks import Classes, Kind
from drifa.tasks.classes import class_weights
from tests.tasks.contract import SubjectKindContract


class TestClasses(SubjectKindContract):
    target = ClassTarget(("benign", "malignant", "other"))
    texts = ("benign", "malignant", "other", "benign", "other", "malignant", "benign", "")
    wrong = "malign"
    perfect: ClassVar = {"accuracy": 1.0, "balanced_accuracy": 1.0, "auc": 1.0, "brier": 0.0}

    def outputs(self, kind: Kind, truth: torch.Tensor) -> torch.Tensor:
        return 20 * torch.nn.functional.one_hot(truth.clamp_min(0), 3).float()


def test_the_share_of_partners_that_change_the_answer() -> None:
    kind = Classes(("a", "b"))
    # Three partners say a, b, b; their mean says b.
    draws = np.array([[[0.6, 0.4]], [[0.2, 0.8]], [[0.3, 0.7]]])
    assert kind.over_partners(draws).tolist() == [1 / 3]


def test_an_unknown_label_is_no_class_in_the_rows() -> None:
    kind = Classes(("a", "b"))
    summary = kind.summarise(np.array([[[0.9, 0.1], [0.2, 0.8]]]))
    columns = kind.columns(summary, np.array([0, -1]), np.array([True, False]), None)
    assert columns["label"].tolist() == ["a", None]
    assert columns["correct"].tolist()[0] is True
    assert columns["correct"].isna().tolist() == [False, True]


def test_class_weights_make_rare_classes_count_and_average_to_one() -> None:
    counts = np.array([90, 10])
    assert class_weights(counts, "none") == ()
    balanced, root = class_weights(counts, "balanced"), class_weights(counts, "sqrt")
    assert balanced[1] / balanced[0] == pytest.approx(9)
    assert root[1] / root[0] == pytest.approx(3)
    for weights in (balanced, root):
        assert (counts * weights).sum() / counts.sum() == pytest.approx(1)


def test_weights_and_smoothing_are_those_of_torch_and_survive_the_run() -> None:
    kind = Classes(("a", "b"), (0.5, 2.0), 0.1)
    assert Classes.from_json(kind.to_json()) == kind
    assert Classes(("a", "b")).to_json() == {"kind": "classes", "classes": ["a", "b"]}
    outputs, truth, known = torch.randn(8, 2), torch.randint(2, (8,)), torch.ones(8, dtype=torch.bool)
    weight = torch.tensor([0.5, 2.0])
    expected = F.cross_entropy(outputs, truth, weight=weight, label_smoothing=0.1)
    assert kind.loss(outputs, truth, known).item() == pytest.approx(expected.item())
    # The history has the loss without smoothing, so that validation says how sure of the truth the network is.
    figures = kind.figures(kind.sums(outputs, truth, known))
    assert figures["loss"] == pytest.approx(F.cross_entropy(outputs, truth, weight=weight).item(), rel=1e-5)
    assert figures["accuracy"] == (outputs.argmax(1) == truth).float().mean().item()
