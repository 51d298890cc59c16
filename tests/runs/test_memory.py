"""The peak is that of what came after it was forgotten."""

from __future__ import annotations

import pytest
import torch

from drifa.runs.memory import forget_peak, peak

CPU = torch.device("cpu")


def test_the_peak_holds_what_was_freed_and_is_forgotten_on_demand() -> None:
    if not forget_peak(CPU):
        pytest.skip("this system does not tell")
    before = peak(CPU)
    block = torch.ones(50_000_000)  # 200 MB
    size = block.element_size() * block.numel()
    del block
    held = peak(CPU)
    assert held - before > 0.9 * size
    assert forget_peak(CPU)
    assert held - peak(CPU) > 0.9 * size


def test_a_device_whose_memory_nobody_tells_is_not_watched() -> None:
    assert not forget_peak(torch.device("mps"))
