"""Every family of the table: DRIFA on two of its branches is built, equals timm's network stage by stage, runs and learns."""

from __future__ import annotations

import pytest
import torch

from drifa import create_model
from drifa.backbones import FAMILIES, cut, timm_features
from drifa.backbones.cut import native_size
from tests.backbones.families_table import PAGE, listed

QUICK = ("RegNet", "ConvNeXt", "GhostNet", "MambaOut", "NFNet", "PVTv2")
CASES = [pytest.param(name, id=family, marks=() if family in QUICK else pytest.mark.slow) for family, name in FAMILIES.items()]


def side(backbone: str) -> int:
    return native_size(backbone) or (96 if "ception" in backbone else 64)


@pytest.mark.parametrize("backbone", CASES)
def test_stages_in_sequence_equal_the_network(backbone: str) -> None:
    torch.manual_seed(0)
    features = timm_features(backbone, 3).eval()
    x = torch.randn(1, 3, side(backbone), side(backbone))
    with torch.no_grad():
        expected = features.forward_features(x) if hasattr(features, "forward_features") else features(x)[-1]
        stages, infos = cut(features, backbone, 3, native=native_size(backbone))
        for stage, info in zip(stages, infos, strict=True):
            x = stage(x)
            assert x.shape[1] == info.channels
    if expected.ndim == 3:  # tokens
        expected = expected.transpose(1, 2).reshape(x.shape)
    elif expected.shape[1] != x.shape[1]:
        expected = expected.permute(0, 3, 1, 2)
    torch.testing.assert_close(x, expected)


@pytest.mark.parametrize("backbone", CASES)
def test_drifa_on_two_branches_runs_and_every_parameter_learns(backbone: str) -> None:
    torch.manual_seed(0)
    net = create_model(
        backbone, modalities={"a": 3, "b": 1}, tasks={"t": 3}, mfa_at="stage", mifa_at="stage", reduction=4, dropout=0
    ).train()
    size = side(backbone)
    present = torch.tensor([[True, True], [True, False], [True, True]])
    logits = net({"a": torch.randn(3, 3, size, size), "b": torch.randn(3, 1, size, size)}, present)["t"]
    assert logits.shape == (3, 3)
    logits.square().sum().backward()
    assert not [name for name, parameter in net.named_parameters() if parameter.grad is None]


def test_the_page_lists_exactly_the_families_tested() -> None:
    assert listed(PAGE.read_text(encoding="utf-8")) == FAMILIES
