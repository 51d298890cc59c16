"""DRIFA between branches is MIFA where it was asked for, and nothing elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from drifa import MIFA, DrifaError
from drifa.fusion import Drifa
from drifa.fusion.drifa import mifa_stages
from drifa.fusion.projection import ProjectedMIFA
from tests.fusion.parts import spec

ENDS = (False, True, False, True)


def test_mifa_follows_every_block_or_every_level_or_the_stages_named() -> None:
    assert mifa_stages("block", ENDS) == [0, 1, 2, 3]
    assert mifa_stages("stage", ENDS) == [1, 3]
    assert mifa_stages([3, 0], ENDS) == [0, 3]
    with pytest.raises(DrifaError, match=r"mifa_at='blocks' is not known.*did you mean 'block'"):
        mifa_stages("blocks", ENDS)


def test_after_a_stage_stands_its_mifa_and_elsewhere_the_maps_pass() -> None:
    torch.manual_seed(0)
    fusion, maps = Drifa(spec(False), mifa_at=[1]), [torch.randn(2, 6, 4, 4), torch.randn(2, 6, 3, 3)]
    expected = fusion.mifa["1"](maps)
    for found, wanted, before in zip(fusion.after_stage(1, maps, None), expected, maps, strict=True):
        assert torch.equal(found, wanted)
        assert not torch.equal(found, before)
    assert all(a is b for a, b in zip(fusion.after_stage(0, maps, None), maps, strict=True))


def test_unequal_channels_get_a_common_space_and_equal_ones_do_not() -> None:
    fusion = Drifa(replace(spec(False), channels=((4, 6, 8), (4, 5, 8))))
    assert [type(module) for module in fusion.mifa.values()] == [MIFA, ProjectedMIFA, MIFA]


def test_options_reach_every_mifa_and_without_mifa_it_is_concatenation() -> None:
    plain, reduced = Drifa(spec(False)), Drifa(spec(False), reduction=2, mifa={"omega_c": False})
    sizes = [sum(parameter.numel() for parameter in fusion.parameters()) for fusion in (plain, reduced)]
    assert sizes[1] < sizes[0]
    assert all(module.omega_c is None for module in reduced.mifa.values())
    assert not list(Drifa(spec(False), mifa=False).parameters())
