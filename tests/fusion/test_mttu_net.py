"""MTTU-Net-style fusion: learned weights of the tasks, and a head that cannot die."""

from __future__ import annotations

import math

import pytest
import torch

from drifa.fusion import FUSIONS
from tests.fusion.parts import OPTIONS, spec


def test_mttu_net_weighs_tasks_by_learned_uncertainty() -> None:
    fusion = FUSIONS["mttu_net"](spec(False), **OPTIONS["mttu_net"])
    loss = torch.tensor(3.0)
    assert fusion.combine({"t": loss}, {"t": 7.0}).item() == pytest.approx(1.5)
    with torch.no_grad():
        fusion.log_variance["t"].fill_(math.log(loss / 2))  # the minimum of e^-s L / 2 + s
    fusion.combine({"t": loss}, {"t": 7.0}).backward()
    assert fusion.log_variance["t"].grad.item() == pytest.approx(0, abs=1e-6)


def test_the_literal_head_of_mttu_net_is_linear() -> None:
    heads = [FUSIONS["mttu_net"](spec(False), **OPTIONS["mttu_net"], linear_head=flag).make_head("t") for flag in (True, False)]
    x, y = torch.randn(2, 2, heads[0][1].in_features).unbind(0)
    for head, linear in zip(heads, (True, False), strict=True):
        zero = head.eval()(0 * x)
        assert torch.allclose(head(x + y) - zero, head(x) + head(y) - 2 * zero, atol=1e-5) == linear


def test_a_head_of_mttu_net_whose_units_are_all_off_still_learns() -> None:
    head = FUSIONS["mttu_net"](spec(False), **OPTIONS["mttu_net"]).make_head("t").eval()
    linear = [layer for layer in head if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer in linear[:-1]:
            layer.bias.fill_(-100.0)
    head(torch.randn(4, linear[0].in_features))[:, 0].sum().backward()
    assert linear[0].weight.grad.abs().sum() > 0
