"""Whatever layout a network keeps inside, its stages read and give [B, C, H, W]."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from drifa.backbones.layouts import LAYOUTS, FromNCHW, ToNCHW, bordered, layout_of


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "NCHW"])
def test_there_and_back_is_the_identity(layout: str) -> None:
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(ToNCHW(layout)(FromNCHW(layout)(x)), x)


def test_the_vector_of_a_position_stays_together() -> None:
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(FromNCHW("NHWC")(x)[1, 2, 3], x[1, :, 2, 3])
    assert torch.equal(FromNCHW("NLC")(x)[1, 2 * 4 + 3], x[1, :, 2, 3])  # row by row


def test_tokens_are_known_by_their_dimensions_and_maps_by_what_the_network_says() -> None:
    assert layout_of(torch.zeros(1, 9, 2), "NCHW") == "NLC"
    assert [layout_of(torch.zeros(1, 2, 3, 3), declared) for declared in ("NCHW", "NHWC")] == ["NCHW", "NHWC"]


class _ToTokens(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class _ToMaps(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], 4, 4, x.shape[2])


@pytest.mark.parametrize("training", [True, False])
def test_borders_change_what_stands_between_the_stages_and_not_what_they_compute(training: bool) -> None:
    stages = [nn.Sequential(_ToTokens(), nn.Linear(3, 5)), nn.Sequential(_ToMaps(), nn.Linear(5, 7)), nn.Sequential(nn.ReLU())]
    stages = [stage.train(training) for stage in stages]
    x = y = torch.randn(2, 3, 4, 4)
    for stage in stages:
        y = stage(y)
    shapes = []
    for stage in bordered(stages, ["NLC", "NHWC", "NHWC"]):
        assert stage.training == training
        x = stage(x)
        shapes.append(tuple(x.shape))
    assert shapes == [(2, 5, 4, 4), (2, 7, 4, 4), (2, 7, 4, 4)]
    assert torch.equal(x, y.permute(0, 3, 1, 2))
