"""A batch moves as a whole, and cannot be changed in place."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch

from drifa.data.sampling.batch import Batch


def test_all_of_a_batch_moves_to_a_device() -> None:
    present, known = torch.ones(2, 1, dtype=torch.bool), torch.zeros(2, 1, dtype=torch.bool)
    batch = Batch({"photo": torch.zeros(2, 3, 4, 4)}, present, {"t": torch.zeros(2)}, known, seed=7)
    moved = batch.to("meta")
    tensors = [*moved.images.values(), moved.present, *moved.targets.values(), moved.known]
    assert all(tensor.device.type == "meta" for tensor in tensors)
    assert moved.seed == 7
    assert batch.present.device.type == "cpu"


def test_a_batch_is_not_changed_in_place() -> None:
    batch = Batch({}, torch.ones(1, 1, dtype=torch.bool))
    with pytest.raises(FrozenInstanceError):
        batch.seed = 1  # type: ignore[misc]
