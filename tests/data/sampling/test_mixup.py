"""Mixup blends rows of one presence pattern, and says how much of which truth is in them."""

from __future__ import annotations

import pytest
import torch

from drifa.data.sampling.batch import Batch
from drifa.data.sampling.mixup import mixup

COUNT = 40


def batch_of(present: torch.Tensor) -> Batch:
    """Row i shows 1 in channel i of each modality that it has, and its truth is i."""
    rows = torch.eye(len(present))[:, :, None, None]
    images = {name: rows * present[:, [column], None, None] for column, name in enumerate(("photo", "scan"))}
    truth = {"kind": torch.arange(len(present)), "years": torch.arange(len(present)).double()}
    return Batch(images=images, present=present, targets=truth, known=torch.ones(len(present), 2, dtype=torch.bool))


def patterns() -> torch.Tensor:
    """Both modalities, or either."""
    return torch.tensor([[True, True], [True, False], [False, True], [True, True]]).repeat(COUNT // 4, 1)


def seeded(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def test_a_row_is_blended_with_one_of_its_pattern_in_one_share_for_everything() -> None:
    batch = batch_of(patterns())
    mixed, share = mixup(batch, seeded(), 1.0)
    partner, own = mixed.targets["kind"][COUNT:], share[:COUNT]
    assert batch.present[partner].equal(batch.present)
    assert sorted(partner.tolist()) == list(range(COUNT))
    assert (partner != torch.arange(COUNT)).float().mean() > 0.7
    for column, name in enumerate(batch.images):
        for row in range(COUNT):
            expected = torch.zeros(COUNT)
            if batch.present[row, column]:
                expected[row] += own[row]
                expected[partner[row]] += 1 - own[row]
            torch.testing.assert_close(mixed.images[name][row].flatten(), expected)
    torch.testing.assert_close(own + share[COUNT:], torch.ones(COUNT))
    assert mixed.present.equal(batch.present)
    assert mixed.targets["kind"][:COUNT].equal(batch.targets["kind"])
    assert mixed.targets["years"].equal(mixed.targets["kind"].double())


def test_an_absent_modality_and_a_row_without_its_like_keep_every_bit() -> None:
    present = torch.ones(5, 2, dtype=torch.bool)
    present[2, 1] = False
    batch = batch_of(present)
    batch.images["photo"][2] = torch.randn(5, 1, 1)
    mixed, _ = mixup(batch, seeded(), 0.4)
    assert (mixed.images["scan"][2] == 0).all()
    assert mixed.images["photo"][2].equal(batch.images["photo"][2])
    assert mixed.targets["kind"][5 + 2] == 2


def test_the_generator_decides_everything() -> None:
    (one, share), (same, again), (other, _) = (mixup(batch_of(patterns()), seeded(number), 0.4) for number in (0, 0, 1))
    assert one.images["photo"].equal(same.images["photo"])
    assert share.equal(again)
    assert not one.images["photo"].equal(other.images["photo"])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_drawn_of_beta(alpha: float) -> None:
    share = mixup(batch_of(torch.ones(1000, 2, dtype=torch.bool)), seeded(), alpha)[1][:1000]
    assert share.mean().item() == pytest.approx(0.5, abs=0.05)
    assert share.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


def test_what_has_no_share_is_not_known_and_what_was_not_known_stays_so() -> None:
    batch = batch_of(patterns())
    batch.known[:, 1] = torch.arange(COUNT) % 3 == 0
    mixed, share = mixup(batch, seeded(), 0.01)
    assert (share == 0).any()
    assert not mixed.known[share == 0].any()
    assert mixed.known[:, 0].equal(share > 0)
    assert (mixed.targets["kind"][mixed.known[:, 1]] % 3 == 0).all()
