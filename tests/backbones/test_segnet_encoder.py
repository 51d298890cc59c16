"""The encoder of SegNet is timm's VGG16 with BatchNorm, with MFA where it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch.nn import functional as F

from drifa.backbones.segnet_encoder import LAYOUT, SegNetEncoder
from tests.networks.narrow import narrow


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


@pytest.mark.parametrize(("mfa_at", "modules"), [("conv", 18), ("stage", 5)])
def test_mfa_stands_behind_every_convolution_or_every_stage(mfa_at: str, modules: int) -> None:
    net = narrow(modalities={"flair": 1}, mfa_at=mfa_at)
    assert sum(type(module).__name__ == "MFA" for module in net.branches.modules()) == modules
    assert sum(type(module).__name__ == "MIFA" for module in net.fusion.modules()) == 5
