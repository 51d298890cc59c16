"""Classes: the contract, and what belongs to them alone."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from drifa.data.targets import ClassTarget
from drifa.tasks import Classes, Kind
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
