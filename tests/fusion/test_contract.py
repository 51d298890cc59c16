"""Every fusion keeps the contract."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from torch import nn

from drifa.fusion import FUSIONS, Fusion
from tests.fusion.contract import FusionContract


class TestDrifa(FusionContract):
    fusion = "drifa"


class TestDrifaPlus(FusionContract):
    fusion = "drifa_plus"


class TestConcat(FusionContract):
    fusion = "concat"


class TestSingle(FusionContract):
    fusion = "single"
    ordered: ClassVar[dict[str, tuple[int, ...]]] = {}


class TestSeMatched(FusionContract):
    fusion = "se_matched"
    options: ClassVar[dict[str, Any]] = {"ratio": 2.0}


class TestGloria(FusionContract):
    fusion = "gloria"
    options: ClassVar[dict[str, Any]] = {"dim": 8}


class TestGloriaContrastive(FusionContract):
    fusion = "gloria"
    options: ClassVar[dict[str, Any]] = {"dim": 8, "beta": 0.5}


class TestMttuNet(FusionContract):
    fusion = "mttu_net"
    options: ClassVar[dict[str, Any]] = {"dim": 8, "depth": 1, "heads": 2, "mlp": 16}
    ordered: ClassVar[dict[str, tuple[int, ...]]] = {r"heads\.\w+\.1\.weight": (1,)}


class TestCaf(FusionContract):
    fusion = "caf"


class TestMtfMa(FusionContract):
    fusion = "mtf_ma"
    options: ClassVar[dict[str, Any]] = {"dim": 8, "heads": 2}
    ordered: ClassVar[dict[str, tuple[int, ...]]] = {}


class TestMtfMaTokens(FusionContract):
    fusion = "mtf_ma"
    options: ClassVar[dict[str, Any]] = {"dim": 8, "heads": 2, "attention": "tokens"}
    ordered: ClassVar[dict[str, tuple[int, ...]]] = {}


class _OnEncoders:
    """The same promises on whole encoders: a vision transformer whose maps are attended on their way out."""

    def build(self, modalities: dict[str, int], **changes: Any) -> nn.Module:
        whole = {"backbone": "test_vit", "attach": "intermediates", "backbone_args": {"depth": 3}}
        return super().build(modalities, **{**whole, **changes})  # type: ignore[misc]


class TestDrifaOnEncoders(_OnEncoders, TestDrifa): ...


class TestConcatOnEncoders(_OnEncoders, TestConcat): ...


class TestSingleOnEncoders(_OnEncoders, TestSingle): ...


class TestSeMatchedOnEncoders(_OnEncoders, TestSeMatched): ...


class TestGloriaContrastiveOnEncoders(_OnEncoders, TestGloriaContrastive): ...


class TestMttuNetOnEncoders(_OnEncoders, TestMttuNet): ...


class TestCafOnEncoders(_OnEncoders, TestCaf): ...


class TestMtfMaTokensOnEncoders(_OnEncoders, TestMtfMaTokens): ...


def test_no_fusion_is_left_out() -> None:
    assert {kind.fusion for kind in FusionContract.__subclasses__()} >= set(FUSIONS)


class _Leaky(Fusion):
    """Subtracts the mean of the batch, and looks at absent slots."""

    name = "leaky"

    def readout(self, features, present):
        vector = super().readout(features, None)
        return vector - vector.mean(dim=0)


@pytest.mark.parametrize(
    "promise",
    ["test_a_row_does_not_depend_on_the_others", "test_rows_of_a_mixed_batch_equal_rows_alone"],
)
def test_the_contract_notices_a_fusion_that_leaks(monkeypatch: pytest.MonkeyPatch, promise: str) -> None:
    monkeypatch.setitem(FUSIONS, "leaky", _Leaky)
    contract = FusionContract()
    contract.fusion = "leaky"  # type: ignore[misc]
    with pytest.raises(AssertionError):
        getattr(contract, promise)()
