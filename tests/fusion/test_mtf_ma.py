"""Mutual attention: a partner's question is answered from one's own tokens, and a row alone stays as it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from drifa.fusion.mtf_ma import ATTENTION, _Mutual


def layer(attention: str) -> _Mutual:
    torch.manual_seed(0)
    return _Mutual(("a", "b"), 4, 2, attention).double()


def tokens(*counts: int) -> list[Tensor]:
    return [torch.randn(3, count, 4, dtype=torch.float64) for count in counts]


@pytest.mark.parametrize("attention", ATTENTION)
def test_a_row_without_a_partner_keeps_its_tokens_and_another_does_not(attention: str) -> None:
    (x, y), present = tokens(5, 2), torch.tensor([[True, True], [True, False], [True, True]])
    found = layer(attention)([x, y], present)[0]
    assert torch.equal(found[1], x[1])
    assert (found[[0, 2]] != x[[0, 2]]).all()
    alone = layer(attention)([x, None], None)
    assert alone[0] is x
    assert alone[1] is None


@pytest.mark.parametrize("attention", ATTENTION)
def test_the_order_of_the_partners_tokens_does_not_matter(attention: str) -> None:
    x, y = tokens(5, 6)
    expected, found = (layer(attention)([x, partner], None)[0] for partner in (y, y[:, torch.randperm(6)]))
    torch.testing.assert_close(found, expected)


def test_pooled_attention_adds_one_answer_to_every_token() -> None:
    x, y = tokens(5, 6)
    for attention, alike in zip(ATTENTION, (True, False), strict=True):
        added = layer(attention)([x, y], None)[0] - x
        assert torch.allclose(added, added[:, :1].expand_as(added)) == alike


def test_with_one_head_and_one_key_the_answer_is_its_value() -> None:
    (x, y), one = tokens(1, 3), layer("pooled")
    value = one.key_value["a"](one.norm["a"](x)).chunk(2, dim=2)[1]  # a softmax over one key is 1, whatever is asked
    torch.testing.assert_close(one([x, y], None)[0], x + one.out["a"](value))
