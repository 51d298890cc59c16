"""A network that was asked is as it was, part by part."""

from __future__ import annotations

import pytest
from torch import nn

from drifa.networks.undisturbed import undisturbed


def test_every_part_gets_its_own_mode_back_also_after_an_error() -> None:
    first, second = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)), nn.Sequential(nn.Dropout(0.5)).eval()
    first[0].eval()  # a frozen part of a network that trains
    modes = [[part.training for part in net.modules()] for net in (first, second)]
    assert len({*modes[0]}) == 2

    @undisturbed(first, second)
    def fail() -> None:
        assert not any(part.training for net in (first, second) for part in net.modules())
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fail()
    assert [[part.training for part in net.modules()] for net in (first, second)] == modes
