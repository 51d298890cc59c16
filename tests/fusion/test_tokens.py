"""Attention over tokens, and positions for maps of any size."""

from __future__ import annotations

import torch

from drifa.fusion.tokens import Positions, as_map, attend, tokens


def test_attention_over_allowed_keys_equals_attention_over_those_keys_alone() -> None:
    q, k, v = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 8)
    allowed = torch.tensor([[True] * 4 + [False] * 3] * 2)
    torch.testing.assert_close(attend(q, k, v, 2, allowed), attend(q, k[:, :4], v[:, :4], 2))


def test_positions_keep_their_grid_and_fit_any_map() -> None:
    positions = Positions(4)
    assert torch.equal(positions(torch.zeros(1, 4, 8, 8)), positions.grid)
    assert positions(torch.zeros(2, 4, 3, 5)).shape == (2, 4, 3, 5)


def test_tokens_are_the_vectors_of_the_positions_row_by_row_and_make_the_map_again() -> None:
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(tokens(x)[1, 2 * 5 + 3], x[1, :, 2, 3])
    assert torch.equal(as_map(tokens(x), x), x)


def test_attention_is_a_softmax_of_scaled_products_in_each_head() -> None:
    q, k, v = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 6)
    found = attend(q, k, v, 2)
    for head, (d, e) in enumerate([(slice(0, 4), slice(0, 3)), (slice(4, 8), slice(3, 6))]):
        weights = (q[:, :, d] @ k[:, :, d].transpose(1, 2) / 4**0.5).softmax(dim=2)
        torch.testing.assert_close(found[:, :, e], weights @ v[:, :, e], msg=f"head {head}")
