"""MIFA between branches whose maps differ in channels."""

from __future__ import annotations

import torch

from drifa import MIFA
from drifa.fusion.projection import ProjectedMIFA


def test_the_projected_attention_couples_unequal_channels() -> None:
    torch.manual_seed(0)
    module = ProjectedMIFA([6, 4])
    x, y = torch.randn(2, 6, 5, 5), torch.randn(2, 4, 3, 3)
    a, b = module([x, y])
    assert (a.shape, b.shape) == (x.shape, y.shape)
    assert not torch.equal(a, module([x, y + 1])[0])
    # One number per channel, as in eq. 5: the map itself is scaled and nothing else.
    torch.testing.assert_close(a * x[:, :, :1, :1], x * a[:, :, :1, :1])


def test_with_equal_channels_the_projection_is_mifa() -> None:
    torch.manual_seed(0)
    module, plain = ProjectedMIFA([4, 4]), MIFA(4, 2)
    plain.load_state_dict(
        {
            key: torch.stack(list(module.omega_c)) if key == "omega_c" else module.mifa.state_dict()[key]
            for key in plain.state_dict()
        }
    )
    xs = [torch.randn(2, 4, 5, 5), torch.randn(2, 4, 3, 3)]
    for mine, theirs in zip(module(xs), plain(xs), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_it_can_start_as_the_identity_and_learns_from_there() -> None:
    torch.manual_seed(0)
    module, xs = ProjectedMIFA([6, 4], start="identity"), [torch.randn(2, 6, 5, 5), torch.randn(2, 4, 3, 3)]
    output = module(xs)
    assert all(torch.equal(y, x) for y, x in zip(output, xs, strict=True))
    sum(y.square().sum() for y in output).backward()
    assert all(part.grad.abs().max() > 0 for part in (*module.omega_c, *module.up[0].parameters(), module.mifa.omega_d))
