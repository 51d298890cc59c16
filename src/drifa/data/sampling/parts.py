"""Batches in parts: what is too large for a device is computed part by part, before the one step of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import torch

from drifa.data.sampling.batch import Batch


class Batches(Protocol):
    """Batches whose number is known."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class InParts:
    """The same rows in the same order, each batch as so many smaller ones.

    A part says how much it counts, so that the mean over the parts is that of the batch: a part that knows few labels of a
    task weighs little in its loss.

    Args:
        batches: What to divide.
        parts: Into how many; every batch has as many rows at least.
    """

    def __init__(self, batches: Batches, parts: int) -> None:
        self.batches, self.parts = batches, parts

    def __len__(self) -> int:
        return len(self.batches) * self.parts

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            rows = torch.tensor_split(torch.arange(len(batch.present)), self.parts)
            for number, chosen in enumerate(rows):
                yield self._part(batch, slice(int(chosen[0]), int(chosen[-1]) + 1), number)

    def _part(self, batch: Batch, rows: slice, number: int) -> Batch:
        known = batch.known.sum(0)
        shares = self.parts * batch.known[rows].sum(0) / known.clamp_min(1)
        if batch.counts:
            shares = shares * torch.tensor(batch.counts)
        return replace(
            batch,
            images={name: images[rows] for name, images in batch.images.items()},
            present=batch.present[rows],
            targets={task: values[rows] for task, values in batch.targets.items()},
            known=batch.known[rows],
            seed=batch.seed + number,
            counts=tuple(shares.tolist()),
        )
