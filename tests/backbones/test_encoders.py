"""Every model file of timm has an encoder that runs whole: it gives maps, and every parameter learns."""

from __future__ import annotations

import pytest
import timm
import torch

from drifa.backbones import EncoderBranch
from drifa.backbones.encoders import ENCODERS
from tests.backbones.encoders_table import PAGE, listed, side

QUICK = ("resnet", "vision_transformer", "convnext", "byobnet", "efficientnet", "mambaout", "shvit")
CASES = [pytest.param(name, id=file, marks=() if file in QUICK else pytest.mark.slow) for file, name in ENCODERS.items()]
#: Parameters that no map depends on.
UNUSED = {"efficientvim_m1": ["model.weights"]}


@pytest.mark.parametrize("backbone", CASES)
def test_an_encoder_gives_the_maps_that_it_says_and_learns(backbone: str) -> None:
    torch.manual_seed(0)
    branch = EncoderBranch(backbone, 3).train()
    size = side(branch)
    maps = branch.encode(torch.randn(2, 3, size, size))
    assert [x.shape[1] for x in maps] == [info.channels for info in branch.infos]
    torch.stack([x.float().square().sum() for x in maps]).sum().backward()
    unused = [name for name, parameter in branch.encoder.named_parameters() if parameter.grad is None]
    assert unused == UNUSED.get(backbone, [])


def test_every_model_file_of_timm_is_listed_with_a_model_of_its_own() -> None:
    assert set(timm.list_modules()) == set(ENCODERS)
    assert not [name for file, name in ENCODERS.items() if name not in timm.list_models(module=file)]


def test_the_page_lists_exactly_the_encoders_tested() -> None:
    assert listed(PAGE.read_text(encoding="utf-8")) == ENCODERS
