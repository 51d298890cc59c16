"""The multitask loss of eq. 9."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from drifa.training.losses import multitask_loss, task_weights


def test_it_is_the_weighted_sum_of_cross_entropies() -> None:
    logits = {"a": torch.randn(6, 3), "b": torch.randn(6, 4)}
    labels = torch.stack([torch.randint(3, (6,)), torch.randint(4, (6,))], dim=1)
    loss, parts = multitask_loss(logits, labels, {"a": 0.3, "b": 2.0})
    expected = {task: F.cross_entropy(logits[task], labels[:, i]) for i, task in enumerate(logits)}
    assert parts.keys() == expected.keys()
    assert loss.item() == pytest.approx((0.3 * expected["a"] + 2.0 * expected["b"]).item())


def test_unlabelled_rows_and_tasks_cost_nothing_and_get_no_gradient() -> None:
    logits = {"a": torch.randn(4, 3, requires_grad=True), "b": torch.randn(4, 2, requires_grad=True)}
    labels = torch.tensor([[0, -1], [2, -1], [-1, -1], [1, -1]])
    loss, parts = multitask_loss(logits, labels, {"a": 1.0, "b": 1.0})
    loss.backward()
    assert list(parts) == ["a"]
    assert loss.item() == pytest.approx(F.cross_entropy(logits["a"][[0, 1, 3]], labels[[0, 1, 3], 0]).item())
    assert (logits["a"].grad[2] == 0).all()
    assert (logits["b"].grad == 0).all()


def test_several_answers_to_a_task_are_added_and_a_fusion_may_combine_tasks_its_own_way() -> None:
    labels = torch.tensor([[0], [2], [1]])
    one, two = torch.randn(3, 3), torch.randn(3, 3)
    loss, parts = multitask_loss({"a": [one, two]}, labels, {"a": 0.5})
    assert parts["a"].item() == pytest.approx((F.cross_entropy(one, labels[:, 0]) + F.cross_entropy(two, labels[:, 0])).item())
    assert loss.item() == pytest.approx(0.5 * parts["a"].item())
    loss, parts = multitask_loss({"a": one}, labels, {"a": 0.5}, lambda losses, weights: losses["a"] ** 2)
    assert loss.item() == pytest.approx(parts["a"].item() ** 2)


def test_weights_default_to_equal_shares() -> None:
    assert task_weights({"a": 3, "b": 4}, {"b": 0.9}) == {"a": 0.5, "b": 0.9}
