"""The figures of a segmentation epoch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch

from drifa.training.segmentation import _Sums


def test_two_tasks_with_a_region_of_one_name_keep_their_own_dice() -> None:
    sums = _Sums({"left": ("lesion",), "right": ("lesion",)})
    truth = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    sure = torch.full((1, 1, 4, 4), 9.0)
    batch = {"annotated": torch.ones(1, 2, dtype=torch.bool)}
    sums.add({"left": sure, "right": -sure}, {"left": truth, "right": truth}, {}, batch, "regions")
    alone: Any = SimpleNamespace(strategy=SimpleNamespace(reduce=lambda value, reduce_op: value))
    _, dice = sums.means(cast(Any, alone))
    assert dice == {"left/lesion": 1.0, "right/lesion": 0.0}
