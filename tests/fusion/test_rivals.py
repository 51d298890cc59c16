"""What each rival and control is by its own definition."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from drifa import DrifaError, create_model
from drifa.fusion import FUSIONS, FusionSpec
from drifa.fusion.caf import CombinedHead
from drifa.fusion.gloria import _attend, _info_nce, _scores
from drifa.fusion.tokens import Positions, attend
from drifa.links import LINKS
from drifa.networks.complexity import macs, parameters
from tests.studies import TINY_NET

NAMES = {"a": 3, "b": 3}
OPTIONS: dict[str, dict[str, Any]] = {
    "gloria": {"dim": 8},
    "mttu_net": {"dim": 8, "depth": 1, "heads": 2, "mlp": 16},
    "caf": {},
    "mtf_ma": {"dim": 8, "heads": 2},
    "se_matched": {"ratio": 2.0},
}
RIVALS = ["gloria", "mttu_net", "caf", "mtf_ma"]


def spec(for_decoder: bool, modalities: int = 2, channels: tuple[int, ...] = (4, 6, 8)) -> FusionSpec:
    names = ("a", "b", "c")[:modalities]
    return FusionSpec(names, (channels,) * modalities, (True, True, True), {"t": 3}, {"t": names}, for_decoder=for_decoder)


def maps(modalities: int, channels: int, size: int) -> list[Tensor | None]:
    return [torch.randn(3, channels, size, size) for _ in range(modalities)]


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


def test_attention_over_allowed_keys_equals_attention_over_those_keys_alone() -> None:
    q, k, v = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 8)
    allowed = torch.tensor([[True] * 4 + [False] * 3] * 2)
    torch.testing.assert_close(attend(q, k, v, 2, allowed), attend(q, k[:, :4], v[:, :4], 2))


def test_positions_keep_their_grid_and_fit_any_map() -> None:
    positions = Positions(4)
    assert torch.equal(positions(torch.zeros(1, 4, 8, 8)), positions.grid)
    assert positions(torch.zeros(2, 4, 3, 5)).shape == (2, 4, 3, 5)


def test_gloria_contexts_are_mixtures_of_regions() -> None:
    regions, words = torch.rand(2, 9, 4), torch.randn(2, 5, 4)
    context = _attend(regions, words)
    assert context.shape == words.shape
    assert (context <= regions.amax(dim=1, keepdim=True) + 1e-6).all()
    assert (context >= regions.amin(dim=1, keepdim=True) - 1e-6).all()


def test_the_contrastive_loss_is_low_for_true_pairs_alone() -> None:
    torch.manual_seed(0)
    vectors = 10 * torch.randn(4, 1, 8).expand(-1, 6, -1)
    true, wrong = _info_nce(_scores(vectors, vectors)), _info_nce(_scores(vectors, vectors.roll(1, 0)))
    assert true < 2 * math.log(4) < wrong


def test_contrast_takes_rows_with_both_modalities_only_and_is_off_by_default() -> None:
    torch.manual_seed(0)
    options = {"backbone_args": TINY_NET, "tasks": {"t": 3}, "modalities": NAMES, "fusion": "gloria", "dropout": 0.0}
    x = {name: torch.randn(5, 3, 40, 40) for name in NAMES}
    present = torch.tensor([[True, True]] * 3 + [[True, False], [False, True]])
    net = create_model(**options, fusion_args={"dim": 8, "beta": 2.0}).eval()
    whole = net.training_logits(x, present)[1]["contrastive"]
    part = net.training_logits({name: value[:3] for name, value in x.items()})[1]["contrastive"]
    torch.testing.assert_close(whole, part)
    assert whole > 0
    lonely = torch.tensor([[True, False], [False, True], [True, False], [False, True], [True, True]])
    assert net.training_logits(x, lonely)[1]["contrastive"] == 0
    assert create_model(**options, fusion_args={"dim": 8}).training_logits(x)[1] == {}


def test_for_segmentation_the_contrast_compares_modalities_that_have_not_seen_each_other() -> None:
    torch.manual_seed(0)
    fusion = FUSIONS["gloria"](spec(True), dim=8, beta=1.0).eval()
    stage = fusion.spec.token_stage
    x, y = maps(2, 8, 4)
    found = []
    for scale in (1.0, 5.0):
        with torch.no_grad():
            for layer in fusion.residual.values():
                layer.weight.mul_(scale)
            features = fusion.after_stage(stage, [x, y], None)
            found.append((fusion.bottleneck(features, None)[0], fusion.auxiliary_loss(features, None)["contrastive"]))
    assert not torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_mttu_net_weighs_tasks_by_learned_uncertainty() -> None:
    fusion = FUSIONS["mttu_net"](spec(False), **OPTIONS["mttu_net"])
    loss = torch.tensor(3.0)
    assert fusion.combine({"t": loss}, {"t": 7.0}).item() == pytest.approx(1.5)
    with torch.no_grad():
        fusion.log_variance["t"].fill_(math.log(loss / 2))  # the minimum of e^-s L / 2 + s
    fusion.combine({"t": loss}, {"t": 7.0}).backward()
    assert fusion.log_variance["t"].grad.item() == pytest.approx(0, abs=1e-6)


def test_the_literal_head_of_mttu_net_is_linear() -> None:
    heads = [FUSIONS["mttu_net"](spec(False), **OPTIONS["mttu_net"], linear_head=flag).make_head("t") for flag in (True, False)]
    x, y = torch.randn(2, 2, heads[0][1].in_features).unbind(0)
    for head, linear in zip(heads, (True, False), strict=True):
        zero = head.eval()(0 * x)
        assert torch.allclose(head(x + y) - zero, head(x) + head(y) - 2 * zero, atol=1e-5) == linear


def test_a_head_of_mttu_net_whose_units_are_all_off_still_learns() -> None:
    head = FUSIONS["mttu_net"](spec(False), **OPTIONS["mttu_net"]).make_head("t").eval()
    linear = [layer for layer in head if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer in linear[:-1]:
            layer.bias.fill_(-100.0)
    head(torch.randn(4, linear[0].in_features))[:, 0].sum().backward()
    assert linear[0].weight.grad.abs().sum() > 0


def test_the_combined_prediction_is_the_mean_of_the_answers_that_are_there() -> None:
    head = CombinedHead(4, 2, [0, 1], 3, LINKS["softmax"])
    vector = torch.randn(5, 14)
    vector[:, 12:] = torch.tensor([[1.0, 1.0], [1, 0], [0, 1], [1, 1], [0, 0]])
    hyper, branches, _ = head.parts(vector)
    answers = [logits.softmax(1) for logits in (hyper, *branches)]
    probabilities = head(vector).exp()
    torch.testing.assert_close(probabilities.sum(1), torch.ones(5))
    torch.testing.assert_close(probabilities[0], sum(answer[0] for answer in answers) / 3)
    torch.testing.assert_close(probabilities[1], (answers[0][1] + answers[1][1]) / 2)
    torch.testing.assert_close(probabilities[4], answers[0][4])


def test_deep_supervision_reaches_a_branch_only_through_rows_that_have_it() -> None:
    torch.manual_seed(0)
    net = create_model(fusion="caf", modalities=NAMES, tasks={"t": 3}, task_modalities={"t": ["a"]}, backbone_args=TINY_NET)
    x = {name: torch.randn(4, 3, 40, 40) for name in NAMES}
    present = torch.tensor([[True, True], [False, True], [True, True], [True, False]])
    own = net.training_logits(x, present)[0]["t"][1]
    assert (own[1] == 0).all()
    assert (own[[0, 2, 3]] != 0).any(dim=1).all()
    F.cross_entropy(own, torch.tensor([0, 1, 2, 0])).backward()
    assert net.branches["a"].stages[0][0].weight.grad.abs().sum() > 0


def test_co_attention_starts_as_the_identity_and_large_maps_are_pooled() -> None:
    fusion = FUSIONS["caf"](spec(True))
    x = [torch.randn(2, 4, 40, 40), torch.randn(2, 4, 40, 40)]
    block = fusion.attention["0"]
    assert all(torch.equal(before, after) for before, after in zip(x, block(x, None), strict=True))
    torch.nn.init.ones_(block.gamma["a"])
    assert block(x, None)[0].shape == x[0].shape
    assert not torch.equal(block(x, None)[0], x[0])


@pytest.mark.parametrize(("match", "count"), [("parameters", parameters), ("macs", lambda net: macs(net, 64))])
def test_se_matched_is_as_large_as_drifa(match: str, count: Any) -> None:
    options = {"modalities": NAMES, "tasks": {"t": 3}, "backbone_args": {"layers": [1, 1, 1, 1], "channels": [16, 16, 32, 32]}}
    control = create_model(fusion="se_matched", fusion_args={"match": match, "image_size": 64}, **options)
    assert count(control) == pytest.approx(count(create_model(**options)), rel=0.02)
    again = create_model(**control.config)
    assert again.config == control.config
    assert parameters(again) == parameters(control)


def test_counting_on_the_meta_device_equals_counting_on_the_cpu() -> None:
    options = {"modalities": NAMES, "tasks": {"t": 3}, "backbone_args": TINY_NET}
    net = create_model(**options)
    with torch.device("meta"):
        meta = create_model(**options)
    assert (parameters(net), macs(net, 64)) == (parameters(meta), macs(meta, 64))


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


def test_an_unreachable_size_and_unfusable_maps_are_refused() -> None:
    options: dict[str, Any] = {"modalities": NAMES, "tasks": {"t": 3}, "backbone_args": TINY_NET}
    with pytest.raises(DrifaError, match="no width"):
        create_model(fusion="se_matched", mfa=False, mifa=False, **options)
    net = create_model(fusion="caf", **options)
    with pytest.raises(DrifaError, match="one size"):
        net({"a": torch.randn(2, 3, 40, 40), "b": torch.randn(2, 3, 64, 64)})
