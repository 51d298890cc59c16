"""MIFA between branches of different backbones, whose maps differ in channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from drifa.attention import MIFA
from drifa.attention.mfa import begin, glorot_init
from drifa.errors import DrifaError


class ProjectedMIFA(nn.Module):
    r"""MIFA in a common space of :math:`C = \min_i C_i` channels (an extension; the paper's branches are all alike).

    A 1x1 convolution :math:`P_i` brings each wider modality to C channels, :math:`A` is eq. 8 on the projected maps, and a
    linear layer with sigmoid brings it back to the channels of the modality. What is multiplied is the map itself, as in
    eq. 5, so nothing of a wide modality is lost:

    .. math::
        X^S_i = X_i \otimes \sigma(U_i A) \otimes \omega_{c,i}

    A modality that has C channels already keeps :math:`P_i` and :math:`\sigma(U_i \cdot)` as the identity: with equal
    channels everywhere this is :class:`~drifa.MIFA` itself.

    Args:
        channels: C_i of each modality.
        omega_c: Learn the per-channel output scale of each modality; fixed to 1 otherwise.
        start: ``"paper"`` or ``"identity"``, as in :class:`~drifa.MIFA`.
        options: Further options of :class:`~drifa.MIFA`.

    Shape:
        As :class:`~drifa.MIFA`, with C_i channels in modality i.
    """

    def __init__(self, channels: Sequence[int], *, omega_c: bool = True, start: str = "paper", **options: Any) -> None:
        super().__init__()
        common = min(channels)
        self.down = nn.ModuleList(nn.Identity() if c == common else nn.Conv2d(c, common, 1) for c in channels)
        self.mifa = MIFA(common, len(channels), omega_c=False, **options)
        self.up = nn.ModuleList(
            nn.Identity() if c == common else nn.Sequential(nn.Linear(common, c), nn.Sigmoid()) for c in channels
        )
        self.omega_c = nn.ParameterList(torch.ones(c) for c in channels) if omega_c else None
        glorot_init(self.down)
        glorot_init(self.up)
        begin(self.mifa, start, {"omega_d": self.mifa.mgifa is not None, "omega_l": self.mifa.mlifa is not None})
        if start == "identity":
            if self.omega_c is None:
                raise DrifaError("MIFA: start='identity' needs an omega_c to start from; leave omega_c=False or the start out")
            for way_up, scale in zip(self.up, self.omega_c, strict=True):
                nn.init.constant_(scale, 2.0)
                for parameter in way_up.parameters():  # sigma(0) is one half, as A is
                    nn.init.zeros_(parameter)

    def attention(self, xs: Sequence[Tensor | None], present: Tensor | None = None) -> Tensor:
        """The shared attention A in the common space: ``[B, C]``, values in (0, 1)."""
        projected = [None if x is None else down(x) for x, down in zip(xs, self.down, strict=True)]
        return self.mifa.attention(projected, present)

    def forward(self, xs: Sequence[Tensor | None], present: Tensor | None = None) -> list[Tensor | None]:
        shared = self.attention(xs, present)
        output: list[Tensor | None] = []
        for i, (x, up) in enumerate(zip(xs, self.up, strict=True)):
            if x is None:
                output.append(None)
                continue
            scale = up(shared) if self.omega_c is None else up(shared) * self.omega_c[i]
            y = x * scale[:, :, None, None]
            output.append(y if present is None else torch.where(present[:, i, None, None, None], y, 0))
        return output
