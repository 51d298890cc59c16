"""The segmentation loss: what it is made of, and what it leaves out."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from drifa import DrifaError
from drifa.networks.regions import classes_to_regions, region_probabilities, regions_to_classes
from drifa.tasks.regions import segmentation_loss, soft_dice_loss


def nested(batch: int = 4, side: int = 8) -> torch.Tensor:
    return classes_to_regions(torch.randint(4, (batch, side, side)), 3)


def test_it_is_cross_entropy_plus_dice_summed_with_the_weights_of_the_tasks() -> None:
    logits = {"tumour": torch.randn(4, 3, 8, 8), "vessels": torch.randn(4, 1, 8, 8)}
    truth = {"tumour": nested(), "vessels": torch.rand(4, 1, 8, 8) > 0.5}
    loss, parts = segmentation_loss(logits, truth, {"tumour": 0.3, "vessels": 2.0})
    for task, value in logits.items():
        p, t = value.sigmoid(), truth[task].float()
        bce = -(t * p.log() + (1 - t) * (1 - p).log()).mean()
        assert parts[task].item() == pytest.approx((bce + soft_dice_loss(p, truth[task])).item(), rel=1e-5)
    assert loss.item() == pytest.approx((0.3 * parts["tumour"] + 2 * parts["vessels"]).item())


def test_classes_give_the_cross_entropy_of_the_paper() -> None:
    logits, truth = torch.randn(4, 4, 8, 8), nested()
    loss, _ = segmentation_loss({"tumour": logits}, {"tumour": truth}, {"tumour": 1.0}, output="classes")
    assert loss.item() == pytest.approx(F.cross_entropy(logits, regions_to_classes(truth)).item())
    with pytest.raises(DrifaError, match="output='regions'"):
        segmentation_loss({"tumour": logits}, {"tumour": truth.flip(1)}, {"tumour": 1.0}, output="classes")


@pytest.mark.parametrize("output", ["regions", "classes"])
def test_rows_without_an_annotation_cost_nothing_and_get_no_gradient(output: str) -> None:
    maps = 3 if output == "regions" else 4
    logits = {task: torch.randn(4, maps, 8, 8, requires_grad=True) for task in ("a", "b")}
    truth = {task: nested() for task in logits}
    annotated = torch.tensor([[True, False], [False, False], [True, False], [True, False]])
    weights = {"a": 1.0, "b": 1.0}
    loss, parts = segmentation_loss(logits, truth, weights, annotated, output)
    loss.backward()
    kept = annotated[:, 0]
    expected, _ = segmentation_loss({"a": logits["a"][kept]}, {"a": truth["a"][kept]}, weights, output=output)
    assert list(parts) == ["a"]
    assert loss.item() == pytest.approx(expected.item())
    assert (logits["a"].grad[~kept] == 0).all()
    assert (logits["a"].grad[kept] != 0).any()
    assert (logits["b"].grad == 0).all()
    nothing, parts = segmentation_loss(logits, truth, weights, torch.zeros_like(annotated), output)
    assert (nothing.item(), parts) == (0, {})


def test_dice_runs_over_the_batch_and_does_not_see_how_it_is_cut_into_rows() -> None:
    p, truth = torch.rand(4, 2, 8, 8), torch.rand(4, 2, 8, 8) > 0.7
    whole = soft_dice_loss(p, truth)
    tall = soft_dice_loss(p.movedim(0, 2).reshape(1, 2, 32, 8), truth.movedim(0, 2).reshape(1, 2, 32, 8))
    torch.testing.assert_close(whole, tall)
    # An empty slice more changes nothing where nothing is predicted in it.
    zeros = torch.zeros(1, 2, 8, 8)
    torch.testing.assert_close(whole, soft_dice_loss(torch.cat([p, zeros]), torch.cat([truth, zeros.bool()])))


def test_dice_of_right_wrong_and_empty_regions() -> None:
    truth = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    assert soft_dice_loss(truth.float(), truth).item() == 0  # nothing there, nothing predicted
    assert soft_dice_loss(torch.ones(2, 1, 16, 16), truth).item() > 0.99  # nothing there, everything predicted
    truth[:, :, 4:12, 4:12] = True
    assert soft_dice_loss(truth.float(), truth).item() == 0
    assert soft_dice_loss(torch.zeros(2, 1, 16, 16), truth).item() > 0.99
    assert soft_dice_loss(1 - truth.float(), truth).item() > 0.99


def test_half_precision_logits_give_the_loss_of_single_precision() -> None:
    logits, truth = 4 * torch.randn(8, 3, 64, 64), nested(8, 64)
    half = logits.to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = segmentation_loss({"t": half}, {"t": truth}, {"t": 1.0})
    expected, _ = segmentation_loss({"t": half.float()}, {"t": truth}, {"t": 1.0})
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_several_answers_are_added_and_a_fusion_may_combine_the_tasks() -> None:
    a, b, truth = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8), nested(2)

    def loss(value: object, **options: object) -> float:
        return segmentation_loss({"t": value}, {"t": truth}, {"t": 0.5}, **options)[0].item()

    assert loss([a, b]) == pytest.approx(loss(a) + loss(b), rel=1e-5)
    assert loss(a, combine=lambda losses, weights: losses["t"] * 10) == pytest.approx(20 * loss(a), rel=1e-5)


@pytest.mark.parametrize("output", ["regions", "classes"])
def test_descending_it_finds_the_truth(output: str) -> None:
    truth = {"t": nested(2)}
    logits = torch.zeros(2, 3 if output == "regions" else 4, 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        segmentation_loss({"t": logits}, truth, {"t": 1.0}, output=output)[0].backward()
        optimizer.step()
    assert torch.equal(region_probabilities(logits, output) > 0.5, truth["t"])
