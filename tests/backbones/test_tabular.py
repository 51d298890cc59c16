"""The branch of a table: one pixel, as deep and as wide as the image branch beside it."""

from __future__ import annotations

from itertools import pairwise

import torch

from drifa.backbones import Branch
from drifa.backbones.tabular import TabularBranch
from tests.studies import TINY_NET

INFOS = Branch("resnet18", 1, arguments=TINY_NET).infos


def test_every_stage_gives_one_pixel_with_the_channels_of_the_image_branch() -> None:
    branch, x = TabularBranch(6, INFOS), torch.randn(3, 6, 1, 1)
    assert [info.ends_level for info in branch.infos] == [info.ends_level for info in INFOS]
    for stage, refine, info, image in zip(branch.stages, branch.refine, branch.infos, INFOS, strict=True):
        x = refine(stage(x))
        assert tuple(x.shape) == (3, image.channels, 1, 1)
        assert (info.channels, info.reduction) == (image.channels, 1)


def test_a_stage_is_a_fully_connected_layer() -> None:
    stage, x = TabularBranch(6, INFOS).stages[0].eval(), torch.randn(3, 6, 1, 1)
    weight = stage[0].weight[:, :, 0, 0]
    expected = torch.relu(x[:, :, 0, 0] @ weight.T / (1 + stage[1].eps) ** 0.5)  # fresh statistics: mean 0, variance 1
    torch.testing.assert_close(stage(x)[:, :, 0, 0], expected)


def test_its_size_is_that_of_its_layers() -> None:
    widths = [6, *[info.channels for info in INFOS]]
    expected = sum(a * b + 2 * b for a, b in pairwise(widths))
    assert sum(parameter.numel() for parameter in TabularBranch(6, INFOS).parameters()) == expected
