"""Branches of different backbones meet at the resolution levels that all of them have."""

from __future__ import annotations

from tests.networks.mixed import images, mixed


def test_different_backbones_meet_at_the_levels_that_both_have() -> None:
    net = mixed()
    for branch in net.branches.values():
        assert [info.reduction for info in branch.infos] == [4, 8, 16, 32]
    assert len(net.fusion.mifa) == net.stage_count == 4
    net.train()(images())["t"].sum().backward()
    assert not [name for name, parameter in net.named_parameters() if parameter.grad is None]
