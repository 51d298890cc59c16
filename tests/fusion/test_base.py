"""The base of every fusion is concatenation, and its spec knows the levels; what every fusion promises: see contract.py."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from drifa.errors import DrifaError
from drifa.fusion import FUSIONS, Fusion, FusionSpec, check_options, fusion_class
from drifa.fusion.base import check_heads, option_names, weighted_losses
from tests.fusion.parts import spec

THREE = FusionSpec(("a", "b"), ((4, 6, 8), (4, 5, 8)), (False, True, True), {"t": 3}, {"t": ("a", "b")})


def test_the_readout_is_the_means_side_by_side_with_zeros_for_who_is_absent() -> None:
    fusion = Fusion(replace(THREE, channels=((2,), (1,)), ends_level=(True,)))
    x = torch.tensor([[[[1.0, 3.0]], [[5.0, 5.0]]], [[[math.nan, 1.0]], [[0.0, 0.0]]]])
    y = torch.tensor([[[[2.0]]], [[[4.0]]]])
    present = torch.tensor([[True, True], [False, True]])
    assert fusion.readout([x, y], present).tolist() == [[2.0, 5.0, 2.0], [0.0, 0.0, 4.0]]
    assert fusion.readout([None, y], present).tolist() == [[0.0, 0.0, 2.0], [0.0, 0.0, 4.0]]
    assert fusion.dim == 3


def test_it_lets_maps_pass_and_hands_the_decoder_those_of_the_modalities() -> None:
    fusion, maps = Fusion(THREE), [torch.randn(1, 4, 2, 2), None, torch.randn(1, 9, 2, 2)]
    passed = fusion.after_stage(0, maps, torch.tensor([[True, False]]))
    assert all(a is b for a, b in zip(passed, maps, strict=True))
    assert fusion.bottleneck(maps, None) == maps[:2]


@pytest.mark.parametrize(
    ("ends", "level_ends", "classes", "decoder"),
    [
        ((False, True) * 4, (1, 3, 5, 7), 5, 7),  # ResNet18
        ((True, True, False), (0, 1, 2), 1, 2),  # the last stage ends a level whatever is said
        ((True,), (0,), 0, 0),
    ],
)
def test_tokens_are_read_at_the_level_before_last_and_for_a_decoder_at_the_last(
    ends: tuple[bool, ...], level_ends: tuple[int, ...], classes: int, decoder: int
) -> None:
    one = replace(THREE, ends_level=ends)
    assert one.level_ends == level_ends
    assert (one.token_stage, replace(one, for_decoder=True).token_stage) == (classes, decoder)


def test_unequal_channels_are_named_with_the_fusions_that_project() -> None:
    assert THREE.equal_channels(0, "caf") == 4
    with pytest.raises(DrifaError, match=r"'caf' needs equal channels .* stage 1 gives \{'a': 6, 'b': 5\}: .*drifa or gloria"):
        THREE.equal_channels(1, "caf")


def test_the_loss_is_the_weighted_sum_of_the_tasks_that_have_labels() -> None:
    losses = {"t": torch.tensor(3.0), "u": torch.tensor(5.0)}
    assert weighted_losses(losses, {"t": 2.0, "u": 0.5, "v": 9.0}) == 2 * 3 + 0.5 * 5
    assert weighted_losses({}, {"t": 2.0}) == 0


def test_options_are_those_of_the_constructor_and_of_drifa_none() -> None:
    assert option_names(FUSIONS["gloria"]) == ["dim", "beta"]
    assert option_names(FUSIONS["drifa"]) == option_names(FUSIONS["concat"]) == []
    check_options(FUSIONS["gloria"], {"dim": 1, "beta": 0})
    with pytest.raises(DrifaError, match=r"fusion 'gloria' has no option 'Dim' \(did you mean 'dim'\?\)"):
        check_options(FUSIONS["gloria"], {"Dim": 1})
    with pytest.raises(DrifaError, match="dim=10 is not a multiple of heads=4"):
        check_heads("mtf_ma", 10, 4)
    with pytest.raises(DrifaError, match=r"fusion 'concatenation' is not known.*concat"):
        fusion_class("concatenation")
    assert all(fusion_class(name) is kind for name, kind in FUSIONS.items())


def test_every_fusion_reads_out_as_many_numbers_as_it_says() -> None:
    for name in ("concat", "single"):
        fusion = FUSIONS[name](spec(False))
        assert fusion.readout([torch.randn(3, 8, 2, 2)] * 2, None).shape == (3, fusion.dim)
