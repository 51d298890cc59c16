"""Batches in parts: every row once, and losses whose mean is that of the whole batch."""

from __future__ import annotations

import torch

from drifa.data.sampling.batch import Batch
from drifa.data.sampling.parts import InParts
from drifa.tasks import Classes
from drifa.training.losses import multitask_loss


def a_batch(rows: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    known = torch.rand(rows, 2, generator=generator) < 0.6
    known[0] = True
    return Batch(
        {"photo": torch.arange(rows).float().view(-1, 1, 1, 1)},
        torch.ones(rows, 1, dtype=torch.bool),
        {task: torch.randint(3, (rows,), generator=generator) for task in ("a", "b")},
        known,
        seed=7,
    )


def test_every_row_is_in_one_part_in_order() -> None:
    batches = [a_batch(8), a_batch(7)]
    parts = list(InParts(batches, 2))
    assert len(parts) == len(InParts(batches, 2)) == 4
    shown = torch.cat([part.images["photo"] for part in parts])
    assert torch.equal(shown, torch.cat([batch.images["photo"] for batch in batches]))
    assert len({part.seed for part in parts[:2]}) == 2


def test_the_mean_of_the_parts_losses_is_the_loss_of_the_batch() -> None:
    batch, kinds = a_batch(12), {task: Classes(("x", "y", "z")) for task in ("a", "b")}
    logits = {task: torch.randn(12, 3) for task in kinds}
    weights = {"a": 0.3, "b": 0.7}
    whole, _ = multitask_loss(kinds, logits, batch.targets, batch.known, weights)
    losses, start = [], 0
    for part in InParts([batch], 3):
        rows = slice(start, start + len(part.present))
        start = rows.stop
        own = {task: weight * count for (task, weight), count in zip(weights.items(), part.counts, strict=True)}
        shown = {task: values[rows] for task, values in logits.items()}
        losses.append(multitask_loss(kinds, shown, part.targets, part.known, own)[0])
    torch.testing.assert_close(torch.stack(losses).mean(), whole)
