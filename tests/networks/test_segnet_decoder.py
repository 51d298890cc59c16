"""The decoder of SegNet puts maxima back to where they were."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from drifa.networks.segnet_decoder import SegNetDecoder


def test_unpooling_puts_each_maximum_back_where_it_was() -> None:
    x = torch.randn(2, 3, 8, 8)
    pooled, places = F.max_pool2d(x, 2, return_indices=True)
    decoder = SegNetDecoder([0], [3])
    back = decoder(pooled, [places])
    assert torch.equal(back, F.max_unpool2d(pooled, places, (2, 2)))
    assert torch.equal(back[back != 0], x[back != 0])
    assert torch.equal(F.max_pool2d(back.abs(), 2), pooled.abs())
