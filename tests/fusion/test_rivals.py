"""What each rival and control is by its own definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from drifa import DrifaError, create_model
from drifa.fusion import FUSIONS
from tests.fusion.parts import NAMES, OPTIONS, RIVALS, maps, spec
from tests.studies import TINY_NET


def through(fusion: torch.nn.Module) -> list[Tensor | None]:
    """Runs maps of three stages through a fusion, as a network would, and returns what it leaves after the last."""
    count = len(fusion.spec.modalities)
    features: list[Tensor | None] = [torch.randn(3, 1, 8, 8, requires_grad=True) for _ in range(count)]
    for stage, (channels, size) in enumerate(zip(fusion.spec.channels[0], (8, 4, 2), strict=True)):
        before = [F.adaptive_max_pool2d(x, size).mean(dim=1, keepdim=True) for x in features[:count]]
        own = [x * torch.randn(1, channels, 1, 1) for x in before]
        features = fusion.after_stage(stage, [*own, *features[count:]], None)
    return features


@pytest.mark.parametrize("modalities", [1, 2, 3])
@pytest.mark.parametrize("name", [name for name, kind in FUSIONS.items() if kind.serves_decoder])
def test_for_segmentation_every_parameter_gets_a_gradient_from_the_maps(name: str, modalities: int) -> None:
    fusion = FUSIONS[name](spec(True, modalities), **OPTIONS.get(name, {})).train()
    decoded = fusion.bottleneck(through(fusion), None)
    assert [x.shape for x in decoded] == [(3, 8, 2, 2)] * modalities
    loss = torch.stack([x.square().mean() for x in decoded]).sum()
    (fusion.combine({"t": loss}, {"t": 1.0}) * 1.0).backward()
    assert [key for key, parameter in fusion.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", RIVALS)
def test_for_segmentation_one_modality_learns_from_the_other_only_where_it_is_there(name: str) -> None:
    torch.manual_seed(0)
    fusion = FUSIONS[name](spec(True), **OPTIONS[name]).eval()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        stages = [maps(2, channels, 4) for channels in (4, 6, 8)]
        present = torch.tensor([[True, True], [True, False], [True, True]])

        def last(factor: float) -> Tensor:
            further: list[Tensor | None] = []
            for stage, (x, y) in enumerate(stages):
                y = torch.where(present[:, 1, None, None, None], factor * y, 0)
                features = fusion.after_stage(stage, [x, y, *further], present)
                further = features[2:]
            return fusion.bottleneck(features, present)[0]

        moved = (last(1.0) - last(2.0)).abs().amax(dim=(1, 2, 3))
    assert moved[1] == 0
    assert (moved[[0, 2]] > 0).all()


@pytest.mark.parametrize(
    ("fusion", "options", "word"),
    [
        ("gloriaa", {}, "did you mean 'gloria'"),
        ("gloria", {"betta": 1}, "did you mean 'beta'"),
        ("gloria", {"beta": -1}, "0 or more"),
        ("gloria", {"dim": "8"}, "dim='8'"),
        ("mttu_net", {"dim": 9}, "multiple of heads=8"),
        ("mttu_net", {"depth": 0}, "depth=0"),
        ("mtf_ma", {"attention": "token"}, "did you mean 'tokens'"),
        ("caf", {"gamma": 0}, "takes none"),
        ("drifa", {"mifa_at": "block"}, "takes none"),
        ("se_matched", {"match": "mac"}, "did you mean 'macs'"),
        ("se_matched", {"ratio": -1}, "above zero"),
    ],
)
def test_wrong_fusions_and_options_are_refused_with_the_remedy(fusion: str, options: dict, word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        create_model(fusion=fusion, fusion_args=options, modalities=NAMES, tasks={"t": 3}, backbone_args=TINY_NET)
