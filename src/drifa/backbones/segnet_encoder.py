"""The encoder of SegNet: the thirteen convolutions of VGG16 with BatchNorm, cut before each pooling.

Badrinarayanan, Kendall, Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation",
TPAMI 2017, https://arxiv.org/abs/1511.00561. The layers are timm's, so that its VGG16-BN weights fit.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import cast

from timm.models.vgg import VGG
from torch import nn

from drifa.backbones.branch import ConvMFA
from drifa.backbones.cut import StageInfo
from drifa.backbones.weights import load_pretrained
from drifa.errors import DrifaError, suggest
from drifa.rescaled import rescaled_norms

MFA_AT = ("conv", "stage")
LAYOUT = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions and channels of each stage


class SegNetEncoder(nn.Module):
    """The branch of one modality in a segmentation network; the network itself pools between the stages.

    Args:
        in_channels: Channels of the modality's images.
        make_mfa: ``channels -> module``, or ``None`` for a plain encoder.
        mfa_at: ``"conv"`` (after every convolution, before its BatchNorm, and once more at the end of each stage) or
            ``"stage"`` (at the end of each stage only).
        width: Multiplies the channels of every stage.
        pretrained: ``False``, ``True`` (timm's weights of ``vgg16_bn``) or a path to a weights file; needs ``width=1``.

    Attributes:
        stages: Five modules; stage k gives ``[B, C_k, H / 2^k, W / 2^k]`` when its input has been pooled k times.
        refine: Five modules: the MFA at the end of each stage, or Identity.
        infos: Five :class:`~drifa.backbones.StageInfo`.
        loaded: How many tensors of the pretrained file were used, as one sentence; ``None`` without one.
    """

    def __init__(
        self,
        in_channels: int,
        make_mfa: Callable[[int], nn.Module] | None = None,
        mfa_at: str = "conv",
        width: float = 1.0,
        pretrained: bool | str = False,
    ) -> None:
        super().__init__()
        if mfa_at not in MFA_AT:
            raise DrifaError(f"mfa_at={mfa_at!r} is not known in a segmentation network{suggest(mfa_at, MFA_AT)}")
        if pretrained and width != 1:
            raise DrifaError(f"pretrained weights of vgg16_bn need width=1, not width={width}; leave one of the two out")
        self.in_channels = in_channels
        channels = stage_channels(width)
        plan = [item for (count, _), c in zip(LAYOUT, channels, strict=True) for item in (*[c] * count, "M")]
        # timm always builds its classifier too; this ratio keeps it to a few numbers, and it is dropped at once.
        vgg = VGG(plan, num_classes=0, in_chans=in_channels, norm_layer=nn.BatchNorm2d, mlp_ratio=1 / 4096)
        named = nn.ModuleDict({"features": vgg.features})
        self.loaded = load_pretrained(named, "vgg16_bn", in_channels, pretrained) if pretrained else None
        layers = list(vgg.features)
        pools = [k for k, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
        self.stages = nn.ModuleList(nn.Sequential(*layers[a + 1 : b]) for a, b in pairwise([-1, *pools]))
        self.refine = nn.ModuleList(nn.Identity() for _ in channels)
        self.infos = [
            StageInfo(f"features.{pool - 1}", c, 2**k, True) for k, (pool, c) in enumerate(zip(pools, channels, strict=True))
        ]
        if make_mfa is not None:
            self._attach(make_mfa, mfa_at)

    def _attach(self, make_mfa: Callable[[int], nn.Module], mfa_at: str) -> None:
        for k, info in enumerate(self.infos):
            self.refine[k] = make_mfa(info.channels)
            stage = cast(nn.Sequential, self.stages[k])
            for n, layer in enumerate(stage):
                if mfa_at == "conv" and isinstance(layer, nn.Conv2d):
                    stage[n] = ConvMFA(layer, make_mfa(layer.out_channels))
            rescaled_norms(stage)


def stage_channels(width: float = 1.0) -> list[int]:
    """Channels of the five stages.

    Raises:
        DrifaError: If ``width`` is not positive or leaves a stage without channels.
    """
    channels = [round(c * width) for _, c in LAYOUT] if width > 0 else [0]
    if min(channels) < 1:
        raise DrifaError(f"width={width} leaves no channel in a stage; take at least {1 / LAYOUT[0][1]}")
    return channels
