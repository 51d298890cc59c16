"""The control `se_matched` is as large as DRIFA on the same backbone, or says that it cannot be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from drifa import DrifaError, create_model, create_segmentation_model
from drifa.networks.complexity import macs, parameters
from tests.fusion.parts import NAMES
from tests.networks.narrow import TWO
from tests.studies import TINY_NET


@pytest.mark.parametrize(("match", "count"), [("parameters", parameters), ("macs", lambda net: macs(net, 64))])
def test_se_matched_is_as_large_as_drifa(match: str, count: Any) -> None:
    options = {"modalities": NAMES, "tasks": {"t": 3}, "backbone_args": {"layers": [1, 1, 1, 1], "channels": [16, 16, 32, 32]}}
    control = create_model(fusion="se_matched", fusion_args={"match": match, "image_size": 64}, **options)
    assert count(control) == pytest.approx(count(create_model(**options)), rel=0.02)
    again = create_model(**control.config)
    assert again.config == control.config
    assert parameters(again) == parameters(control)


@pytest.mark.parametrize("make", ["classes", "regions"])
def test_se_matched_starts_as_the_attention_that_it_stands_for(make: str) -> None:
    def start(**given: Any) -> str:
        if make == "regions":
            return str(
                create_segmentation_model("se_matched", TWO, {"t": 3}, width=0.25, **given).config["fusion_args"]["start"]
            )
        args = {"layers": [1, 1, 1, 1], "channels": [16, 16, 32, 32]}
        net = create_model(fusion="se_matched", modalities=NAMES, tasks={"t": 3}, backbone_args=args, **given)
        return str(net.config["fusion_args"]["start"])

    assert start() == start(mfa={"reduction": 4}) == "paper"
    assert start(mfa={"start": "identity"}) == "identity"
    assert start(mfa={"start": "identity"}, fusion_args={"start": "paper"}) == "paper"


def test_an_unreachable_size_is_refused_with_the_narrowest() -> None:
    with pytest.raises(DrifaError, match=r"no width .* the narrowest has [\d,]+\. .*fusion_args=\{'ratio': 1.0\}"):
        create_model(fusion="se_matched", mfa=False, mifa=False, modalities=NAMES, tasks={"t": 3}, backbone_args=TINY_NET)


def test_the_matched_control_is_as_large_as_drifa() -> None:
    sizes = []
    for fusion in ("drifa", "se_matched"):
        with torch.device("meta"):
            net = create_segmentation_model(fusion, TWO, {"tumour": 3}, width=0.25)
        sizes.append(parameters(net))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)
