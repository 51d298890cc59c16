"""Branches: the paper's ResNet18 cut into stages, MFA where the paper has it, pretrained weights counted."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from drifa import MFA, create_model
from drifa.backbones import Branch, ConvMFA

TINY = {"channels": [4, 4, 8, 8]}


def test_resnet18_has_the_eight_blocks_of_the_paper() -> None:
    infos = Branch("resnet18", 3).infos
    assert [(info.channels, info.reduction) for info in infos] == [
        *[(64, 4)] * 2,
        *[(128, 8)] * 2,
        *[(256, 16)] * 2,
        *[(512, 32)] * 2,
    ]
    assert [info.ends_level for info in infos] == [False, True] * 4


def test_mfa_stands_after_every_convolution_of_the_main_path_and_after_all_blocks_but_the_last() -> None:
    branch = Branch("resnet18", 3, MFA, "conv", arguments=TINY)
    attended = [name for name, module in branch.stages.named_modules() if isinstance(module, ConvMFA)]
    assert len(attended) == 1 + 2 * 8
    assert not [name for name in attended if "downsample" in name]
    assert [isinstance(module, MFA) for module in branch.refine] == [True] * 7 + [False]


@pytest.mark.parametrize("watched", [None, "conv", "mfa"])
def test_the_map_of_a_convolution_is_overwritten_where_nobody_can_see_it(watched: str | None) -> None:
    torch.manual_seed(0)
    module = ConvMFA(nn.Conv2d(3, 6, 3), MFA(6)).eval()
    x, seen, made = torch.randn(2, 3, 34, 34), [], []
    expected, wanted = module(x).detach(), module.conv(x).detach()
    if watched == "conv":  # by a hook, which keeps what it sees
        module.conv.register_forward_hook(lambda _, __, output: made.append(output))
    elif watched == "mfa":
        module.mfa.register_forward_hook(lambda _, inputs, __: made.append(inputs[0]))
    original = module.mfa.forward
    module.mfa.forward = lambda y: seen.append(y) or original(y)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            torch.testing.assert_close(module(x), expected)
        torch.testing.assert_close(seen.pop(), wanted if watched else expected)
        assert not watched or torch.equal(made.pop(), wanted)
    y = wanted.clone()
    with torch.no_grad():
        torch.testing.assert_close(module.mfa(y), expected)  # alone, an attention leaves its input as it was
    assert torch.equal(y, wanted)


@pytest.mark.parametrize(("mfa_at", "count"), [("block", 8), ("stage", 4)])
def test_coarser_places_carry_mfa_only_behind_blocks(mfa_at: str, count: int) -> None:
    branch = Branch("resnet18", 3, MFA, mfa_at, arguments=TINY)
    assert sum(isinstance(module, MFA) for module in branch.modules()) == count
    assert not [module for module in branch.modules() if isinstance(module, ConvMFA)]


def test_biases_come_on_request_for_every_convolution() -> None:
    plain, biased = (Branch("resnet18", 3, conv_bias=flag, arguments=TINY) for flag in (False, True))
    convolutions = [module for module in biased.modules() if isinstance(module, nn.Conv2d)]
    assert all(module.bias is not None for module in convolutions)
    more = sum(p.numel() for p in biased.parameters()) - sum(p.numel() for p in plain.parameters())
    assert more == sum(module.out_channels for module in convolutions)


def test_merging_keeps_what_a_branch_computes_and_every_mfa() -> None:
    torch.manual_seed(0)
    alone = create_model("ghostnet_050", modalities={"mri": 1}, tasks={"t": 3}, mfa_at="block", mifa=False, reduction=4)
    branch = alone.branches["mri"].eval()
    x = expected = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        for stage, refine in zip(branch.stages, branch.refine, strict=True):
            expected = refine(stage(expected))
        count = sum(isinstance(module, MFA) for module in branch.modules())
        branch.merge([2, 6, len(branch.infos) - 1])
        assert len(branch.stages) == len(branch.infos) == 3
        assert sum(isinstance(module, MFA) for module in branch.modules()) == count
        for stage, refine in zip(branch.stages, branch.refine, strict=True):
            x = refine(stage(x))
    assert torch.equal(x, expected)
