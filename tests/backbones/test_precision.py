"""32 bit inside of a half-precision region, and nowhere else."""

from __future__ import annotations

import torch

from drifa.backbones.precision import full_precision


def test_autocast_is_off_inside_and_on_again_behind() -> None:
    x, layer = torch.randn(2, 3), torch.nn.Linear(3, 3)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        kinds = [layer(x).dtype]
        with full_precision(x):
            kinds.append(layer(x).dtype)
        kinds.append(layer(x).dtype)
    assert kinds == [torch.bfloat16, torch.float32, torch.bfloat16]


def test_the_meta_device_needs_nothing() -> None:
    x = torch.randn(2, 3, device="meta")
    with full_precision(x):
        assert (x @ x.T).device.type == "meta"
