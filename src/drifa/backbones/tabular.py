"""The branch of a tabular modality: one pixel wide, as deep and as wide as the image branches beside it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from drifa.backbones.cut import StageInfo


class TabularBranch(nn.Module):
    """Turns a vector of features into one map of 1x1 per stage, with the channels that the fusion expects there.

    Every stage is a 1x1 convolution, which on one pixel is a fully connected layer, with BatchNorm and ReLU. A fusion that
    couples through global descriptors, as MIFA does, takes these maps as they are. There is no MFA inside: on one pixel its
    poolings are all the same number.

    Args:
        in_channels: F, the number of features.
        infos: Stages of the image branch that it stands beside.

    Attributes:
        stages, refine, infos, loaded, in_channels: As in :class:`~drifa.backbones.Branch`.

    Shape:
        ``[B, F, 1, 1] -> … -> [B, C_K, 1, 1]``.
    """

    def __init__(self, in_channels: int, infos: Sequence[StageInfo]) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.infos = [replace(info, name=f"tabular_{k}", reduction=1) for k, info in enumerate(infos)]
        self.loaded = None
        widths = [in_channels, *[info.channels for info in infos]]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
            for before, after in itertools.pairwise(widths)
        )
        self.refine = nn.ModuleList(nn.Identity() for _ in infos)
