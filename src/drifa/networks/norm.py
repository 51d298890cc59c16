"""Normalisation that reads one sample, in place of BatchNorm, whose running statistics stand for the subjects of the training.

Wu, He, "Group Normalization", ECCV 2018, https://arxiv.org/abs/1803.08494.
"""

from __future__ import annotations

from math import gcd

from torch import nn

NORMS = ("batch", "group")
CHANNELS_PER_GROUP = 8


def to_group_norm(net: nn.Module) -> None:
    """Puts GroupNorm in the place of every BatchNorm2d of a network, with its scale and shift.

    Groups have :data:`CHANNELS_PER_GROUP` channels where that divides their number, else more.
    """
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                channels = child.num_features
                groups = gcd(channels, max(1, channels // CHANNELS_PER_GROUP))
                norm = nn.GroupNorm(groups, channels, eps=child.eps)
                norm.load_state_dict({key: value for key, value in child.state_dict().items() if key in ("weight", "bias")})
                setattr(module, name, norm)
