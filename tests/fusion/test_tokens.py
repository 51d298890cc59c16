"""Attention over tokens, and positions for maps of any size."""

from __future__ import annotations

import torch

from drifa.fusion.tokens import Positions, attend


def test_attention_over_allowed_keys_equals_attention_over_those_keys_alone() -> None:
    q, k, v = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 8)
    allowed = torch.tensor([[True] * 4 + [False] * 3] * 2)
    torch.testing.assert_close(attend(q, k, v, 2, allowed), attend(q, k[:, :4], v[:, :4], 2))


def test_positions_keep_their_grid_and_fit_any_map() -> None:
    positions = Positions(4)
    assert torch.equal(positions(torch.zeros(1, 4, 8, 8)), positions.grid)
    assert positions(torch.zeros(2, 4, 3, 5)).shape == (2, 4, 3, 5)
