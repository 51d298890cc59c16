"""create_segmentation_model: the sizes of the paper's formulas, and arguments refused with the remedy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from drifa import DrifaError, create_segmentation_model
from drifa.backbones.segnet_encoder import LAYOUT, stage_channels
from tests.networks.narrow import FOUR, narrow


def mfa(c: int) -> int:
    return 8 * c * c + 9 * c + 1


def mifa(c: int, m: int) -> int:
    return (1 + m) * (c * c + c) + 1 + c + m * c


def convolutions(channels: list[int], first: int) -> list[tuple[int, int]]:
    widths = [first, *(c for (count, _), c in zip(LAYOUT, channels, strict=True) for _ in range(count))]
    return list(pairwise(widths))


@pytest.mark.parametrize(("width", "m"), [(1.0, 4), (0.25, 1), (0.25, 3)])
def test_every_part_has_the_parameters_of_its_formula(width: float, m: int) -> None:
    with torch.device("meta"):
        net = create_segmentation_model(modalities=dict(list(FOUR.items())[:m]), regions={"tumour": 3}, width=width)
    c = stage_channels(width)
    convs = convolutions(c, 1)
    encoder = sum(9 * a * b + b + 2 * b for a, b in convs)
    inside, extra = sum(mfa(b) for _, b in convs), sum(mfa(x) for x in c)
    between = sum(mifa(x, m) for x in c)
    # The decoder's convolutions, mirrored: from the second on each has its twin, the last keeps its width.
    decoder = sum(9 * a * b + 2 * a for a, b in convs[1:]) + 9 * c[0] ** 2 + 2 * c[0]
    assert count(net.branches) == m * (encoder + inside + extra)
    assert (count(net.fusion), count(net.decoder), count(net.heads)) == (between, decoder, 3 * (c[0] + 1))
    if width == 1:
        millions = [value / 1e6 for value in (encoder, inside, extra, between, decoder, count(net))]
        assert millions == pytest.approx([14.7, 14.5, 4.9, 3.1, 14.7, 154.4], abs=0.06)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"fusion": "single"}, "keep one"),
        ({"mfa_at": "block"}, "choices: conv, stage"),
        ({"indices": "means"}, "did you mean 'mean'"),
        ({"output": "class"}, "did you mean 'classes'"),
        ({"width": 0}, "at least"),
        ({"pretrained": True}, "width=1"),
        ({"dropout": 1.0}, "probability"),
        ({"regions": {}}, "regions="),
        ({"regions": {"tumour": 0}}, "at least 1"),
        ({"modalities": {"a.b": 1}}, "cannot name a modality"),
        ({"mfa": {"hfa": True}}, "hfa"),
        ({"mifa": {"mgfa": True}}, "mgfa"),
        ({"fusion": "caf", "fusion_args": {"dim": 3}}, "dim"),
    ],
)
def test_wrong_arguments_are_refused_with_the_remedy(options: dict[str, Any], word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        narrow(**options)
