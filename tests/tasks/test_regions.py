"""Regions: what their loss is made of, and what an epoch says of them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from drifa import DrifaError
from drifa.data import Study
from drifa.data.targets import RegionTarget
from drifa.networks.regions import classes_to_regions, output_maps, region_probabilities, regions_to_classes
from drifa.tasks import Kind
from drifa.tasks.regions import Regions, soft_dice_loss
from tests.tasks.contract import KindContract

NESTED = {"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)}
OUTPUTS = [Regions(NESTED), Regions(NESTED, "classes")]


def nested(batch: int = 4, side: int = 8) -> torch.Tensor:
    return classes_to_regions(torch.randint(4, (batch, side, side)), 3)


def all_of(batch: int) -> torch.Tensor:
    return torch.ones(batch, dtype=torch.bool)


def test_the_loss_is_cross_entropy_plus_dice() -> None:
    logits, truth = torch.randn(4, 3, 8, 8), nested()
    p, t = logits.sigmoid(), truth.float()
    bce = -(t * p.log() + (1 - t) * (1 - p).log()).mean()
    found = Regions(NESTED).loss(logits, truth, all_of(4))
    assert found.item() == pytest.approx((bce + soft_dice_loss(p, truth)).item(), rel=1e-5)


def test_classes_give_the_cross_entropy_of_the_paper() -> None:
    kind, logits, truth = Regions(NESTED, "classes"), torch.randn(4, 4, 8, 8), nested()
    assert kind.loss(logits, truth, all_of(4)).item() == pytest.approx(
        F.cross_entropy(logits, regions_to_classes(truth)).item()
    )
    with pytest.raises(DrifaError, match="output='regions'"):
        kind.loss(logits, truth.flip(1), all_of(4))


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
    kind, logits, truth = Regions(NESTED), 4 * torch.randn(8, 3, 64, 64), nested(8, 64)
    half = logits.to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = kind.loss(half, truth, all_of(8))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, kind.loss(half.float(), truth, all_of(8)))


@pytest.mark.parametrize("kind", OUTPUTS, ids=lambda kind: kind.output)
def test_descending_it_finds_the_truth(kind: Regions) -> None:
    truth = nested(2)
    logits = torch.zeros(2, output_maps(kind.outputs, kind.output), 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        kind.loss(logits, truth, all_of(2)).backward()
        optimizer.step()
    assert torch.equal(region_probabilities(logits, kind.output) > 0.5, truth)


def test_an_epoch_has_the_dice_of_each_region_over_all_slices_together() -> None:
    kind = Regions({"left": (1,), "right": (2,)})
    truth = torch.zeros(2, 2, 4, 4, dtype=torch.bool)
    truth[0, 0] = True  # 16 pixels of the left region in the first slice, one in the second
    truth[1, 0, 0, 0] = True
    outputs = torch.full((2, 2, 4, 4), -9.0)
    outputs[0, 0] = 9.0
    each = [kind.sums(outputs[[n]], truth[[n]], torch.tensor([True])) for n in range(2)]
    figures = kind.figures(each[0] + each[1])
    assert figures["dice/left"] == pytest.approx(2 * 16 / (16 + 17))
    assert figures["dice/right"] == 1.0
    losses = [kind.loss(outputs[[n]], truth[[n]], torch.tensor([True])).item() for n in range(2)]
    assert figures["loss"] == pytest.approx(sum(losses) / 2, rel=1e-6)
    assert kind.figures(kind.sums(outputs, truth, torch.tensor([False, False]))) == {}


class TestRegions(KindContract):
    target = RegionTarget(NESTED)
    texts = ("a.nii", "b.nii", "c.nii", "d.nii", "e.nii", "f.nii", "a.nii", "")
    wrong = "../x.nii"

    def truth(self, study: Study) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(0)
        return nested(8), torch.from_numpy(study.subjects().known_of("asked"))

    def outputs(self, kind: Kind, truth: torch.Tensor) -> torch.Tensor:
        return 20 * truth.float() - 10
