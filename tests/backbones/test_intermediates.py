"""Whole encoders: their maps are timm's own, nothing inside them changes, and images of the sizes that they take."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from drifa import MFA, DrifaError
from drifa.backbones import EncoderBranch
from drifa.backbones.intermediates import Carry, last_maps


def test_the_maps_are_those_of_the_network_itself() -> None:
    torch.manual_seed(0)
    branch = EncoderBranch("test_vit", 3, MFA).eval()
    x = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        maps = branch.encode(x)
        tokens = branch.encoder.model.forward_features(x)[:, branch.encoder.model.num_prefix_tokens :]
    assert [tuple(y.shape) for y in maps] == [(2, 64, 10, 10)] * 4
    torch.testing.assert_close(maps[-1].flatten(2).transpose(1, 2), tokens)
    assert not [module for module in branch.encoder.modules() if isinstance(module, MFA)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(32, 32), (32, 32), (16, 16), (8, 8), (8, 8)], [1, 2, 4]),
        ([(14, 14)] * 12, [2, 5, 8, 11]),
        ([(14, 14)] * 3, [0, 1, 2]),
        ([(7, 7)], [0]),
    ],
)
def test_levels_are_resolutions_or_evenly_spaced(sizes: list[tuple[int, int]], expected: list[int]) -> None:
    assert last_maps(sizes) == expected


def test_levels_can_be_chosen() -> None:
    branch = EncoderBranch("test_vit", 3, arguments={"out_indices": [1, -1]})
    assert [info.name for info in branch.infos] == ["blocks.1", "blocks.5"]
    for wrong, word in (([6], "has 0 … 5"), ("all", "not a list of map numbers")):
        with pytest.raises(DrifaError, match=word):
            EncoderBranch("test_vit", 3, arguments={"out_indices": wrong})


def test_a_network_of_parallel_resolutions_and_grey_images_of_any_shape() -> None:
    for backbone, size in (("hrnet_w18_small", (96, 64)), ("test_vit", (97, 50))):
        branch = EncoderBranch(backbone, 1).eval()
        branch.check_size(*size, "scan")
        with torch.no_grad():
            maps = branch.encode(torch.randn(1, 1, *size))
        assert [x.shape[1] for x in maps] == [info.channels for info in branch.infos]


def test_an_image_that_an_encoder_cannot_take_is_refused_with_a_size_that_it_can() -> None:
    branch = EncoderBranch("convit_tiny", 3)
    with pytest.raises(DrifaError, match=r"'scan' has images of 40×40 .* takes 224×224 only"):
        branch.check_size(40, 40, "scan")
    branch.check_size(224, 224, "scan")


def test_rows_without_an_image_are_not_read() -> None:
    torch.manual_seed(0)
    branch = EncoderBranch("resnet10t", 3).train()
    x, mask = torch.randn(3, 3, 32, 32), torch.tensor([False, True, False])
    x[~mask] = torch.nan
    maps = branch.encode(x, mask)  # one row of 1x1 maps, in training
    assert all(y.isfinite().all() and not y[~mask].any() and y[mask].any() for y in maps)


def test_a_level_carries_the_one_before_from_zero_on() -> None:
    carry = Carry(4, 8)
    x, before = torch.randn(2, 8, 3, 3), torch.randn(2, 4, 7, 6)
    assert torch.equal(carry(x, before), x)
    torch.nn.init.ones_(carry.project.weight)
    assert not torch.equal(carry(x, before), carry(x, 2 * before))


def test_weights_files_are_those_of_the_plain_model(tmp_path: Path) -> None:
    plain = timm.create_model("test_vit")
    save_file(plain.state_dict(), tmp_path / "vit.safetensors")
    branch = EncoderBranch("test_vit", 3, MFA, str(tmp_path / "vit.safetensors"), {"out_indices": [2, 5]})
    assert branch.loaded is not None
    own = branch.encoder.model.state_dict()
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in own.items())
    assert branch.normalisation is not None


def test_names_and_arguments_that_timm_does_not_know_are_refused() -> None:
    for backbone, arguments, word in (("test_vitt", {}, "test_vit"), ("test_vit", {"depht": 2}, "backbone_args=.*depht")):
        with pytest.raises(DrifaError, match=word):
            EncoderBranch(backbone, 3, arguments=arguments)
