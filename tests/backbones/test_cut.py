"""A timm network as a list of stages; what cannot be cut, and what no timm network is, is told with the remedy."""

from __future__ import annotations

import inspect

import pytest
import timm

from drifa import DrifaError, create_model
from drifa.backbones import Branch
from drifa.backbones.cut import NOT_OF_NETWORKS, timm_features
from drifa.backbones.intermediates import build_encoder
from tests.networks.mixed import TWO


@pytest.mark.parametrize("backbone", ["resnet_18", "vit_tiny_patch16_224"])
def test_a_backbone_that_cannot_serve_is_refused_by_name(backbone: str) -> None:
    with pytest.raises(DrifaError, match=backbone):
        Branch(backbone, 3)


@pytest.mark.parametrize(
    ("backbone", "told"),
    [
        ("resnet_18", "near names: resnet18, "),
        ("resnext", "near names: resnext26ts, "),
        ("timm/resnet18.a1_in1k", "near names: resnet18, "),
        ("qqqqqqq", r"these can be used: .*RegNet \(regnetx_002\)"),
        (None, r"these can be used: "),
    ],
)
def test_an_unknown_backbone_is_answered_with_a_few_names_and_not_with_all(backbone: str, told: str) -> None:
    with pytest.raises(DrifaError, match=f"{backbone!r} is not a timm model \\({told}") as caught:
        Branch(backbone, 3)
    assert len(str(caught.value)) < 2500


def test_a_backbone_that_fails_says_on_what_and_why() -> None:
    with pytest.raises(DrifaError, match=r"on images of 64, 128, 192 pixels \(AssertionError\)"):
        Branch("halonet26t", 3)


def test_unknown_arguments_of_the_backbone_are_named() -> None:
    with pytest.raises(DrifaError, match="colour"):
        Branch("resnet18", 3, arguments={"colour": 1})


@pytest.mark.parametrize("backbone", ["hrnet_w18_small", "selecsls42", "vit_tiny_patch16_224"])
def test_what_cannot_be_cut_is_refused_with_those_that_can(backbone: str) -> None:
    with pytest.raises(DrifaError, match=rf"{backbone}.*RegNet \(regnetx_002\)"):
        Branch(backbone, 3)


def test_the_stem_may_be_a_stage_of_its_own_with_the_same_parameters() -> None:
    nets = [create_model("resnet10t", **TWO, own_stem=flag, mfa=False, mifa=False) for flag in (False, True)]
    assert [net.stage_count for net in nets] == [4, 5]
    assert len({sum(p.numel() for p in net.parameters()) for net in nets}) == 1


@pytest.mark.parametrize("attach", [timm_features, build_encoder])
@pytest.mark.parametrize(
    "name",
    ["checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained", "cache_dir", "features_only"],
)
def test_arguments_that_read_files_or_open_connections_are_refused_by_name(attach, name: str) -> None:
    with pytest.raises(DrifaError, match=f"'{name}' does not describe the network 'resnet18' itself; leave it out"):
        attach("resnet18", 3, {name: "/tmp/weights.pth"})


def test_all_that_timm_takes_beside_the_arguments_of_networks_is_known() -> None:
    taken = [inspect.signature(part).parameters for part in (timm.create_model, timm.models.build_model_with_cfg)]
    assert {name for names in taken for name in names} - {"kwargs"} <= NOT_OF_NETWORKS


@pytest.mark.parametrize("value", [[10**9] * 4, [1] * 999, 1e9, float("nan"), object, "x" * 999, [[[[[[1]]]]]]])
def test_arguments_of_any_size_or_type_are_refused(value: object) -> None:
    with pytest.raises(DrifaError, match="backbone_args: 'channels'="):
        timm_features("resnet18", 3, {"channels": value})
