"""Global poolings: one number per channel, whatever the order of the positions, with a gradient at the extreme."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from drifa.attention.pooling import global_max, global_mean, global_min

POOLS = (global_min, global_mean, global_max)


def test_the_numbers_of_a_map_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0, 3.0], [-4.0, 5.0, 11.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, -6.0]]]])
    assert [pool(x).tolist() for pool in POOLS] == [[[-4.0, -6.0]], [[3.0, -1.0]], [[11.0, 0.0]]]


@pytest.mark.parametrize("pool", POOLS)
def test_the_order_of_the_positions_does_not_matter(pool: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    shuffled = x.flatten(2)[:, :, torch.randperm(20)].view(2, 3, 10, 2)
    torch.testing.assert_close(pool(shuffled), pool(x))


@pytest.mark.parametrize("pool", POOLS)
def test_one_position_is_its_own_descriptor(pool: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 3, 1, 1)
    assert torch.equal(pool(x), x[:, :, 0, 0])


@pytest.mark.parametrize("pool", POOLS)
def test_values_are_the_same_with_and_without_a_gradient(pool: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(pool(x.clone().requires_grad_()).detach(), pool(x))


@pytest.mark.parametrize("pool", POOLS)
def test_the_gradient_is_one_in_all_and_of_an_extreme_at_its_position(pool: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 3, 4, 5, requires_grad=True)
    pool(x).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad.sum(dim=(2, 3)), torch.ones(2, 3))
    if pool is not global_mean:
        assert torch.equal(x.grad != 0, x == pool(x)[:, :, None, None])
