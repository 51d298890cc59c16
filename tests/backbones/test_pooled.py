"""Adaptive pooling is the same in a network and in a program that is made of it."""

from __future__ import annotations

import pytest
import torch

from drifa.backbones.pooled import mean_to


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # a size is fixed: that is the point
@pytest.mark.parametrize("size", [(1, 1), (4, 3), (5, 7), (9, 8), (11, 13)])
def test_what_is_recorded_pools_as_the_network_does(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 9, 8)
    expected = torch.nn.functional.adaptive_avg_pool2d(x, size)
    assert torch.equal(mean_to(x, *size), expected)
    recorded = torch.jit.trace(lambda y: mean_to(y, *size), x)
    torch.testing.assert_close(recorded(x), expected)
    other = torch.randn(5, 3, 9, 8)
    torch.testing.assert_close(recorded(other), torch.nn.functional.adaptive_avg_pool2d(other, size))
