"""Stages are found by number or by the name that any branch gives them, and what does not fit is refused with the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from drifa.errors import DrifaError
from drifa.fusion import fusion_class
from drifa.networks.coupling import coupled_stages, mfa_maker

NAMES = [["layer1", "layer2"], ["blocks.0", "blocks.1"]]


@pytest.mark.parametrize("stages", [["layer2", 0], ["blocks.1", "layer1"], [1, 0, "layer1"]])
def test_any_branch_may_name_a_stage(stages: list[str | int]) -> None:
    assert coupled_stages(stages, NAMES, [False, True]) == [0, 1]


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (["layer3"], "did you mean 'layer"),
        ([2], "mifa_at names the stage 2"),
        ([], "leave the module out with mifa=False"),
        (1, "write \\[1\\]"),
    ],
)
def test_stages_that_are_not_there_are_refused(stages: Any, message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        coupled_stages(stages, NAMES, [False, True])


def test_mfa_is_made_where_the_fusion_has_it_and_it_is_not_left_out() -> None:
    drifa, concat = fusion_class("drifa"), fusion_class("concat")
    assert mfa_maker(concat, True, 1) is None
    assert mfa_maker(drifa, False, 1) is None
    make = mfa_maker(drifa, {"clia": False}, 2)
    assert make is not None
    assert sum(parameter.numel() for parameter in make(8).parameters()) > 0
