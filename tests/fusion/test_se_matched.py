"""The control of equal size widens each branch and lets nothing pass between them."""

from __future__ import annotations

import torch

from drifa.fusion import SeMatched
from tests.fusion.parts import spec


def test_it_starts_as_plain_squeeze_and_excitation() -> None:
    fusion = SeMatched(spec(False), ratio=2.0).eval()
    block, x = fusion.blocks["a"][0], torch.randn(2, 4, 5, 3)
    excited = x * block.excite(x.mean(dim=(2, 3)))[:, :, None, None]
    torch.testing.assert_close(fusion.after_stage(0, [x, None], None)[0], excited)


def test_it_can_start_as_nothing_at_all_and_learns_from_there() -> None:
    fusion, x = SeMatched(spec(False), ratio=2.0, start="identity").train(), torch.randn(2, 4, 5, 3)
    found = fusion.after_stage(0, [x, None], None)[0]
    assert torch.equal(found, x)
    found.square().sum().backward()
    assert fusion.blocks["a"][0].excite[2].bias.grad.abs().sum() > 0


def test_the_hidden_width_is_the_ratio_times_the_channels() -> None:
    for ratio, widths in ((2.0, [8, 12, 16]), (0.5, [2, 3, 4]), (1e-9, [1, 1, 1])):
        blocks = SeMatched(spec(False), ratio=ratio).blocks["b"]
        assert [block.wide[0].out_channels for block in blocks] == widths


def test_nothing_passes_between_the_branches() -> None:
    fusion, x = SeMatched(spec(False), ratio=2.0).eval(), torch.randn(2, 4, 3, 3)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    alone = fusion.after_stage(0, [x, None], None)
    beside = fusion.after_stage(0, [x, torch.randn(2, 4, 3, 3)], None)
    assert alone[1] is None
    assert torch.equal(alone[0], beside[0])
