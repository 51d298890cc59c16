"""The multitask loss of eq. 9."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from drifa.tasks import Classes, Kind, Number, Regions
from drifa.training.losses import multitask_loss, task_weights

KINDS: dict[str, Kind] = {"a": Classes(("x", "y", "z")), "b": Classes(("p", "q", "r", "s"))}
ALL = torch.ones(6, 2, dtype=torch.bool)


def test_it_is_the_weighted_sum_of_cross_entropies() -> None:
    outputs = {"a": torch.randn(6, 3), "b": torch.randn(6, 4)}
    truth = {"a": torch.randint(3, (6,)), "b": torch.randint(4, (6,))}
    loss, parts = multitask_loss(KINDS, outputs, truth, ALL, {"a": 0.3, "b": 2.0})
    expected = {task: F.cross_entropy(outputs[task], truth[task]) for task in outputs}
    assert parts.keys() == expected.keys()
    assert loss.item() == pytest.approx((0.3 * expected["a"] + 2.0 * expected["b"]).item())


def test_kinds_are_learned_together_each_by_its_own_loss() -> None:
    kinds: dict[str, Kind] = {"a": KINDS["a"], "years": Number("years", 50.0, 10.0), "size": Number("ml", 2.0, 4.0, "mse")}
    outputs = {"a": torch.randn(6, 3), "years": torch.randn(6, 2), "size": torch.randn(6, 1)}
    truth = {"a": torch.randint(3, (6,)), "years": 50 + 10 * torch.randn(6), "size": 4 * torch.randn(6)}
    loss, parts = multitask_loss(kinds, outputs, truth, torch.ones(6, 3, dtype=torch.bool), dict.fromkeys(kinds, 1.0))
    z = (truth["years"] - 50) / 10
    normal = torch.distributions.Normal(outputs["years"][:, 0], (outputs["years"][:, 1] / 2).exp())
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    assert parts["years"].item() == pytest.approx((-normal.log_prob(z) - constant).mean().item(), rel=1e-5)
    assert parts["size"].item() == pytest.approx(F.mse_loss(outputs["size"][:, 0], (truth["size"] - 2) / 4).item(), rel=1e-5)
    assert loss.item() == pytest.approx(sum(part.item() for part in parts.values()), rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "shape", "truth"),
    [
        (Classes(("x", "y", "z")), (4, 3), torch.tensor([0, 2, 7, 1])),
        (Number("years", 50.0, 10.0), (4, 2), torch.tensor([40.0, 50.0, torch.nan, 70.0])),
        (Number("", 0.0, 1.0, "mse"), (4, 1), torch.tensor([0.0, 1.0, torch.nan, -1.0])),
        (Regions({"WT": (1,)}), (4, 1, 8, 8), torch.rand(4, 1, 8, 8) > 0.5),
    ],
)
def test_what_is_not_known_costs_nothing_and_gets_no_gradient(kind: Kind, shape: tuple[int, ...], truth: torch.Tensor) -> None:
    outputs = {task: torch.randn(shape, requires_grad=True) for task in ("a", "b")}
    known = torch.tensor([[True, False], [True, False], [False, False], [True, False]])
    kept = known[:, 0]
    loss, parts = multitask_loss({"a": kind, "b": kind}, outputs, {"a": truth, "b": truth}, known, {"a": 1.0, "b": 1.0})
    loss.backward()
    assert list(parts) == ["a"]
    expected = kind.loss(outputs["a"][kept], truth[kept], torch.ones(3, dtype=torch.bool))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    gradients = [outputs[task].grad for task in ("a", "b")]
    assert gradients[0] is not None
    assert gradients[1] is not None
    assert (gradients[0][~kept] == 0).all()
    assert (gradients[0][kept] != 0).any()
    assert (gradients[1] == 0).all()
    nothing, parts = multitask_loss({"a": kind}, outputs, {"a": truth}, torch.zeros_like(known), {"a": 1.0})
    assert (nothing.item(), parts) == (0, {})


def test_several_answers_to_a_task_are_added_and_a_fusion_may_combine_tasks_its_own_way() -> None:
    kinds, truth, known = {"a": KINDS["a"]}, {"a": torch.tensor([0, 2, 1])}, torch.ones(3, 1, dtype=torch.bool)
    one, two = torch.randn(3, 3), torch.randn(3, 3)
    loss, parts = multitask_loss(kinds, {"a": [one, two]}, truth, known, {"a": 0.5})
    assert parts["a"].item() == pytest.approx((F.cross_entropy(one, truth["a"]) + F.cross_entropy(two, truth["a"])).item())
    assert loss.item() == pytest.approx(0.5 * parts["a"].item())
    loss, parts = multitask_loss(kinds, {"a": one}, truth, known, {"a": 0.5}, lambda losses, weights: losses["a"] ** 2)
    assert loss.item() == pytest.approx(parts["a"].item() ** 2)


def test_mixed_rows_cost_the_losses_of_both_truths_by_share() -> None:
    kinds: dict[str, Kind] = {"a": Classes(("x", "y", "z")), "years": Number("years", 50.0, 10.0)}
    outputs = {"a": torch.randn(6, 3), "years": torch.randn(6, 2)}
    first, second = ({"a": torch.randint(3, (6,)), "years": 50 + 10 * torch.randn(6)} for _ in range(2))
    both = {task: torch.cat([first[task], second[task]]) for task in kinds}
    weights, share = {"a": 0.3, "years": 2.0}, torch.tensor([0.8, 0.2]).repeat_interleave(6)
    loss, _ = multitask_loss(kinds, outputs, both, torch.cat([ALL, ALL]), weights, share=share)
    alone = [multitask_loss(kinds, outputs, truth, ALL, weights)[0].item() for truth in (first, second)]
    assert loss.item() == pytest.approx(0.8 * alone[0] + 0.2 * alone[1], rel=1e-5)


def test_weights_default_to_equal_shares() -> None:
    assert task_weights(["a", "b"], {"b": 0.9}) == {"a": 0.5, "b": 0.9}
