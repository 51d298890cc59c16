"""A network that is built without drawing, and then filled from a file, is the one that drew: in everything that it holds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from drifa import create_model, create_segmentation_model
from drifa.fusion import FUSIONS
from drifa.networks.folder import build_model
from drifa.networks.undrawn import undrawn
from tests.networks.tiny import TINY, tiny

WHOLE = {
    "swin_tiny_patch4_window7_224": {"img_size": 64, "window_size": 4, "embed_dim": 8, "depths": [2, 2, 1, 1]},
    "eva02_tiny_patch14_224": {"img_size": 56, "depth": 2},
    "vit_tiny_patch16_224": {"img_size": 64, "depth": 2},
}


def held(net: nn.Module) -> Iterator[tuple[str, object]]:
    """All tensors of a network, those outside of its parameters and buffers too, and what it says of each module."""
    for place, module in net.named_modules():
        yield f"{place} training", module.training
        for name, value in {**vars(module), **module._parameters, **module._buffers}.items():
            if isinstance(value, Tensor):
                yield f"{place}.{name}", value
                yield f"{place}.{name} learns", value.requires_grad


def same(one: nn.Module, other: nn.Module) -> int:
    left, right = dict(held(one)), dict(held(other))
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]) if isinstance(value, Tensor) else value == right[name], name
    return len(left)


def refilled(net: nn.Module) -> nn.Module:
    with undrawn():
        again = build_model(net.config)
    again.load_state_dict(net.state_dict())
    return again.train(net.training)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_comes_back(fusion: str) -> None:
    net = tiny(fusion)
    assert same(net, refilled(net)) > 10


@pytest.mark.parametrize("backbone", WHOLE)
def test_tables_that_no_file_holds_are_right(backbone: str) -> None:
    net = create_model(
        backbone, "concat", {"photo": 3}, {"lesion": 2}, attach="intermediates", backbone_args={**WHOLE[backbone]}
    )
    assert same(net, refilled(net)) > 10


def test_a_segmentation_network_comes_back() -> None:
    net = create_segmentation_model("drifa", {"flair": 1}, {"tumour": 3}, width=1 / 16, norm="group")
    assert same(net, refilled(net)) > 10


def test_nothing_is_drawn_and_other_threads_still_draw() -> None:
    def net() -> nn.Module:
        return create_model("resnet18", "concat", {"photo": 3}, {"lesion": 2}, backbone_args=TINY)

    torch.manual_seed(3)
    before = torch.get_rng_state()
    with undrawn(), ThreadPoolExecutor(1) as other:
        net()
        assert torch.equal(torch.get_rng_state(), before)
        assert float(other.submit(lambda: torch.empty(1000).uniform_(2, 3)).result().min()) >= 2
    net()
    assert not torch.equal(torch.get_rng_state(), before)
