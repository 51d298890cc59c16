"""Sizes of networks: counted on the meta device or not, and the price of a decoder run by its formula."""

from __future__ import annotations

from itertools import pairwise

import torch

from drifa import create_model, create_segmentation_model
from drifa.backbones.segnet_encoder import LAYOUT, stage_channels
from drifa.networks.complexity import macs, parameters
from tests.fusion.parts import NAMES
from tests.networks.narrow import TWO
from tests.studies import TINY_NET


def test_counting_on_the_meta_device_equals_counting_on_the_cpu() -> None:
    options = {"modalities": NAMES, "tasks": {"t": 3}, "backbone_args": TINY_NET}
    net = create_model(**options)
    with torch.device("meta"):
        meta = create_model(**options)
    assert (parameters(net), macs(net, 64)) == (parameters(meta), macs(meta, 64))


def test_one_decoder_run_costs_less_than_one_per_modality() -> None:
    sizes = {}
    for indices in ("branch", "mean"):
        with torch.device("meta"):
            sizes[indices] = macs(create_segmentation_model("concat", TWO, {"tumour": 3}, width=0.25, indices=indices), 64)
    decoder = sum(9 * a * b * (64 >> k) ** 2 for k, a, b in decoder_convolutions(stage_channels(0.25)))
    assert sizes["branch"] - sizes["mean"] == decoder + 3 * stage_channels(0.25)[0] * 64**2


def decoder_convolutions(channels: list[int]) -> list[tuple[int, int, int]]:
    widths = [[c] * n + [channels[max(k - 1, 0)]] for k, ((n, _), c) in enumerate(zip(LAYOUT, channels, strict=True))]
    return [(k, a, b) for k, stage in enumerate(widths) for a, b in pairwise(stage)]
