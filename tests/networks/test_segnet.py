"""FusionSegNet: the sizes of the paper's SegNet, places that maxima return to, any subset of modalities, any image size."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa import DrifaError, create_segmentation_model
from drifa.fusion import FUSIONS
from tests.fusion.contract import MIXED, FusionContract
from tests.networks.narrow import NARROW, images, narrow


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


class TestDrifaPlus(SegmentationContract):
    fusion = "drifa_plus"


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
