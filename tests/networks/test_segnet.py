"""FusionSegNet: the sizes of the paper's SegNet, places that maxima return to, any subset of modalities, any image size."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa import DrifaError, FusionSegNet, create_segmentation_model, load_model, save_model
from drifa.backbones.segnet_encoder import LAYOUT, SegNetEncoder, stage_channels
from drifa.fusion import FUSIONS
from drifa.networks.complexity import macs
from drifa.networks.regions import classes_to_regions, region_probabilities, regions_to_classes
from drifa.networks.segnet_decoder import SegNetDecoder
from tests.fusion.contract import MIXED, FusionContract

FOUR = {"flair": 1, "t1": 1, "t1ce": 1, "t2": 1}
TWO = {"flair": 1, "t1": 1}
NARROW = 1 / 16


def narrow(**changes: Any) -> FusionSegNet:
    torch.manual_seed(0)
    net = create_segmentation_model(**{"modalities": TWO, "regions": {"tumour": 3}, "width": NARROW, **changes})
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.eval()


def images(batch: int = 4, height: int = 32, width: int = 32) -> dict[str, Tensor]:
    return {name: torch.randn(batch, 1, height, width) for name in TWO}


class SegmentationContract(FusionContract):
    """Every fusion with one decoder run per modality; no task is read from a single modality here."""

    modalities: ClassVar[dict[str, int]] = {"flair": 1, "t1": 2}
    tasks: ClassVar[dict[str, int]] = {"tumour": 3, "vessels": 1}
    size: ClassVar[int] = 32
    ordered: ClassVar[dict[str, tuple[int, ...]]] = {}  # the decoder and its heads know of no modality
    indices: ClassVar[str] = "branch"
    fusion = "drifa"

    def build(self, modalities: dict[str, int], **changes: Any) -> nn.Module:
        return create_segmentation_model(
            self.fusion,
            modalities,
            self.tasks,
            width=NARROW,
            fusion_args=self.options,
            indices=self.indices,
        )


class TestDrifa(SegmentationContract):
    pass


class TestDrifaMean(SegmentationContract):
    indices = "mean"


class TestConcat(SegmentationContract):
    fusion = "concat"


class TestCaf(SegmentationContract):
    fusion = "caf"


@pytest.mark.slow
class TestGloria(SegmentationContract):
    fusion = "gloria"
    options: ClassVar[dict[str, Any]] = {"dim": 8, "beta": 0.5}


@pytest.mark.slow
class TestMttuNet(SegmentationContract):
    fusion = "mttu_net"
    options: ClassVar[dict[str, Any]] = {"dim": 8, "depth": 1, "heads": 2, "mlp": 16}


@pytest.mark.slow
class TestMtfMa(SegmentationContract):
    fusion = "mtf_ma"
    options: ClassVar[dict[str, Any]] = {"dim": 8, "heads": 2}


@pytest.mark.slow
class TestSeMatched(SegmentationContract):
    fusion = "se_matched"
    options: ClassVar[dict[str, Any]] = {"ratio": 2.0}


def test_no_fusion_that_segments_several_modalities_is_left_out() -> None:
    kept = {kind.fusion for kind in SegmentationContract.__subclasses__()}
    assert kept >= {name for name, kind in FUSIONS.items() if kind.serves_decoder}


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


def test_the_encoder_is_timms_vgg16_with_batch_norm_and_takes_its_weights(tmp_path: Path) -> None:
    vgg = timm.create_model("vgg16_bn", features_only=True, in_chans=3, mlp_ratio=1 / 4096).eval()
    torch.save({key.replace("_", ".", 1): value for key, value in vgg.state_dict().items()}, tmp_path / "vgg.pth")
    encoder = SegNetEncoder(3, pretrained=str(tmp_path / "vgg.pth")).eval()
    assert "matched 78 of 78" in str(encoder.loaded)
    x = y = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        for k, stage in enumerate(encoder.stages):
            y = F.max_pool2d(stage(y), 2)
            assert y.shape[1:] == (LAYOUT[k][1], 16 >> k, 16 >> k)
        assert torch.equal(y, vgg(x)[-1])


def test_unpooling_puts_each_maximum_back_where_it_was() -> None:
    x = torch.randn(2, 3, 8, 8)
    pooled, places = F.max_pool2d(x, 2, return_indices=True)
    decoder = SegNetDecoder([0], [3])
    back = decoder(pooled, [places])
    assert torch.equal(back, F.max_unpool2d(pooled, places, (2, 2)))
    assert torch.equal(back[back != 0], x[back != 0])
    assert torch.equal(F.max_pool2d(back.abs(), 2), pooled.abs())


@pytest.mark.parametrize("indices", ["branch", "mean"])
def test_one_modality_is_plain_segnet_whichever_indices(indices: str) -> None:
    options = {"modalities": {"flair": 1}, "indices": indices}
    net, x = narrow(fusion="concat", **options), {"flair": torch.randn(2, 1, 64, 32)}
    with torch.no_grad():
        y, places = x["flair"], []
        for stage in net.branches["flair"].stages:
            y, where = F.max_pool2d(stage(y), 2, return_indices=True)
            places.append(where)
        expected = net.heads["tumour"](net.decoder(y, places))
        torch.testing.assert_close(net(x)["tumour"], expected)
        single = narrow(fusion="single", **options)
        assert torch.equal(single(x)["tumour"], net(x)["tumour"])


def test_without_attention_the_logits_are_the_mean_over_the_modalities_present() -> None:
    net, x = narrow(fusion="concat"), images()
    with torch.no_grad():
        alone = [net({name: value})["tumour"] for name, value in x.items()]
        torch.testing.assert_close(net(x)["tumour"], (alone[0] + alone[1]) / 2)
        mixed = net(x, MIXED)["tumour"]
    torch.testing.assert_close(mixed[1], alone[0][1])
    torch.testing.assert_close(mixed[2], alone[1][2])


@pytest.mark.parametrize("indices", ["branch", "mean"])
def test_attention_couples_the_modalities(indices: str) -> None:
    def change(fusion: str) -> Tensor:
        net, x = narrow(fusion=fusion, indices=indices), images(1)
        with torch.no_grad():
            first = net._begin(x, None).features
            second = net._begin({**x, "t1": x["t1"] + 1}, None).features
            return (net._tail(0, first, None, None)[0] - net._tail(0, second, None, None)[0]).abs().max()

    assert change("concat") == 0
    assert change("drifa") > 0


@pytest.mark.parametrize("indices", ["branch", "mean"])
def test_any_size_is_padded_and_cropped_back(indices: str) -> None:
    net, x = narrow(indices=indices), images(2, 33, 50)
    padded = {name: F.pad(value, (0, 14, 0, 31)) for name, value in x.items()}
    with torch.no_grad():
        found = net(x)["tumour"]
        assert found.shape == (2, 3, 33, 50)
        assert torch.equal(found, net(padded)["tumour"][:, :, :33, :50])


def test_training_logits_are_those_of_forward() -> None:
    net, x = narrow(), images()
    with torch.no_grad():
        logits, auxiliary = net.training_logits(x, MIXED)
        assert torch.equal(logits["tumour"][0], net(x, MIXED)["tumour"])
    assert auxiliary == {}


def test_logits_stay_in_32_bit_under_autocast() -> None:
    net = narrow()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert net(images())["tumour"].dtype == torch.float32


@pytest.mark.parametrize(("mfa_at", "modules"), [("conv", 18), ("stage", 5)])
def test_mfa_stands_behind_every_convolution_or_every_stage(mfa_at: str, modules: int) -> None:
    net = narrow(modalities={"flair": 1}, mfa_at=mfa_at)
    assert sum(type(module).__name__ == "MFA" for module in net.branches.modules()) == modules
    assert sum(type(module).__name__ == "MIFA" for module in net.fusion.modules()) == 5


def test_the_matched_control_is_as_large_as_drifa() -> None:
    sizes = []
    for fusion in ("drifa", "se_matched"):
        with torch.device("meta"):
            net = create_segmentation_model(fusion, TWO, {"tumour": 3}, width=0.25)
        sizes.append(count(net))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


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


def test_a_folder_keeps_every_choice(tmp_path: Path) -> None:
    net = narrow(output="classes", indices="mean", mfa={"clia": False}, mifa={"normalise": True}, mfa_at="stage", dropout=0.1)
    again = load_model(save_model(net, tmp_path))
    assert isinstance(again, FusionSegNet)
    assert (again.config, again.dropout_rate, again.indices) == (net.config, 0.1, "mean")
    x = images(1)
    with torch.no_grad():
        assert torch.equal(again(x)["tumour"], net(x)["tumour"])
        assert net(x)["tumour"].shape[1] == 4
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"segmentation"', '"detection"'))
    with pytest.raises(DrifaError, match="kind='detection'"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda net, x: net({"t2": x["t1"]}), "not one of this network"),
        (lambda net, x: net({**x, "t1": x["t1"][..., :16]}), "different sizes"),
        (lambda net, x: net(x, torch.zeros(4, 2, dtype=torch.bool)), "no modality at all"),
    ],
)
def test_wrong_input_is_refused_with_what_would_be_right(call: Any, word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        call(narrow(), images())


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


def test_nested_regions_and_exclusive_classes_are_two_forms_of_one_thing() -> None:
    classes = torch.randint(4, (2, 5, 6))
    regions = classes_to_regions(classes, 3)
    assert torch.equal(regions_to_classes(regions), classes)
    assert torch.equal(regions_to_classes(torch.zeros_like(regions)), torch.zeros_like(classes))
    sure = F.one_hot(classes, 4).movedim(-1, 1) * 100.0
    assert torch.equal(region_probabilities(sure, "classes") > 0.5, regions)
    with pytest.raises(DrifaError, match="row 1: region 2 of the list reaches outside region 1"):
        regions_to_classes(torch.tensor([[[1], [1]], [[0], [1]]]).bool())


def test_region_probabilities_are_probabilities_and_nested_when_they_come_from_classes() -> None:
    logits = 5 * torch.randn(7, 2, 4, 3, 3)
    nested = region_probabilities(logits, "classes")
    assert nested.shape == (7, 2, 3, 3, 3)
    assert bool((nested[:, :, 1:] <= nested[:, :, :-1]).all())
    torch.testing.assert_close(nested[:, :, 0], 1 - logits.softmax(2)[:, :, 0])
    assert torch.equal(region_probabilities(logits, "regions"), logits.sigmoid())


@pytest.mark.parametrize("fusion", ["drifa", "concat", "caf", "se_matched"])
def test_group_norm_reads_each_sample_alone_in_training_too(fusion: str, tmp_path: Path) -> None:
    net = create_segmentation_model(fusion, TWO, {"tumour": 3}, width=NARROW, norm="group", dropout=0.0)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    assert list(net.buffers()) == [] or all("running" not in name for name, _ in net.named_buffers())
    batch = images(3)
    for mode in (True, False):
        net.train(mode)
        together = net(batch)["tumour"]
        alone = torch.cat([net({name: image[[row]] for name, image in batch.items()})["tumour"] for row in range(3)])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    save_model(net, tmp_path / "model")
    torch.testing.assert_close(load_model(tmp_path / "model").eval()(batch), net.eval()(batch))


def test_group_norm_has_the_parameters_of_batch_norm() -> None:
    counts = {
        sum(parameter.numel() for parameter in create_segmentation_model("drifa", TWO, {"t": 1}, norm=norm).parameters())
        for norm in ("batch", "group")
    }
    assert len(counts) == 1
