"""Quick pooling is pooling."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from drifa import create_model
from drifa.backbones.max_pool import QuickMaxPool2d, quicken_pools


@pytest.mark.parametrize("options", [{"kernel_size": 3, "stride": 2, "padding": 1}, {"kernel_size": 2, "ceil_mode": True}])
def test_the_answers_are_those_of_pytorch_to_the_bit_and_their_layout_stays(options: dict) -> None:
    x = torch.randn(2, 5, 13, 11)
    x[0, 0, 2, 2] = torch.nan
    with torch.no_grad():
        found = QuickMaxPool2d(**options)(x)
        torch.testing.assert_close(found, nn.MaxPool2d(**options)(x), rtol=0, atol=0, equal_nan=True)
    assert found.is_contiguous()
    learned = QuickMaxPool2d(**options)(x.requires_grad_())
    torch.testing.assert_close(learned, found, rtol=0, atol=0, equal_nan=True)


def test_plain_pools_are_replaced_wherever_they_stand_and_others_stay() -> None:
    stages = nn.Sequential(
        nn.MaxPool2d(2), nn.Sequential(nn.MaxPool2d(3, 2, 1, ceil_mode=True)), nn.MaxPool2d(2, return_indices=True)
    )
    quicken_pools(stages)
    assert [type(part) for part in (stages[0], stages[1][0], stages[2])] == [QuickMaxPool2d, QuickMaxPool2d, nn.MaxPool2d]
    assert repr(stages[1][0]).replace("Quick", "") == repr(nn.MaxPool2d(3, 2, 1, ceil_mode=True))


def test_a_network_has_the_quick_ones() -> None:
    net = create_model(modalities={"photo": 3}, tasks={"lesion": 2}, backbone_args={"layers": [1, 1, 1, 1]})
    assert not [part for part in net.modules() if type(part) is nn.MaxPool2d]
    assert [part for part in net.modules() if type(part) is QuickMaxPool2d]
