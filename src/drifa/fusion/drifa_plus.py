"""DRIFA+: dual attention whose gates look at the image, an answer to what DRIFA's trained gates were found to do.

Ours, not the paper's. In trained networks DRIFA's gates hardly differ from image to image (`results/gates`): the sums of means
of sigmoids that they are made of barely vary, and a scale that is the same for every image is one that the next convolution can
learn as well. So here

- descriptors are standardised for each image, and no sigmoid stands before the last one;
- what the modalities say is averaged over those present, not summed, in a space of its own, so that the gate of a network of
  four modalities is no nearer to saturation than that of two, and channels may differ;
- a gate begins as the identity, :math:`2\\sigma(0) = 1`;
- a map over positions stands beside the gate over channels, as the paper's words promise and its equations do not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa.attention.pooling import global_max, global_mean
from drifa.fusion.base import Fusion, FusionSpec, check_counts
from drifa.fusion.drifa import mifa_stages
from drifa.present import column, count_present, keep, sum_present

#: Side of the kernel over positions, as in CBAM (Woo et al., ECCV 2018).
KERNEL = 7


class DrifaPlus(Fusion):
    """A :class:`SharedGate` after each block or each resolution level, and a concatenating readout.

    Args:
        spec: The branches and tasks.
        at: ``"stage"`` or ``"block"``.
        width: Of the space in which the modalities meet.
    """

    couples: ClassVar[bool] = True
    name: ClassVar[str] = "drifa_plus"
    title: ClassVar[str] = "gates over channels and positions that begin as the identity, shared by the modalities (ours)"

    def __init__(self, spec: FusionSpec, at: str = "stage", width: int = 64) -> None:
        super().__init__(spec)
        check_counts(self.name, width=width)
        self.gates = nn.ModuleDict(
            {
                str(stage): SharedGate(
                    {name: own[stage] for name, own in zip(spec.modalities, spec.channels, strict=True)}, width
                )
                for stage in mifa_stages(at, spec.ends_level)
            }
        )

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        if str(stage) not in self.gates:
            return list(features)
        return self.gates[str(stage)](features, present)


class SharedGate(nn.Module):
    r""":math:`X'_i = X_i \otimes 2\sigma(W_i\,\mathrm{GELU}(h_i + \bar h)) \otimes 2\sigma(s_i)`, with :math:`h_i` from the
    standardised mean and maximum of each channel of :math:`X_i`, :math:`\bar h` its mean over the modalities present, and
    :math:`s_i` a convolution of the mean and the maximum over the channels.

    Args:
        channels: Of each modality, by its name.
        width: Of :math:`h`.

    Shape:
        As :class:`~drifa.MIFA`; channels may differ between the modalities.

    Examples:
        >>> gate = SharedGate({"photo": 8, "scan": 4}, width=16)
        >>> photo, scan = torch.rand(2, 8, 5, 5), torch.rand(2, 4, 3, 3)
        >>> torch.equal(gate([photo, scan])[0], photo)  # untrained, it changes nothing
        True
    """

    def __init__(self, channels: Mapping[str, int], width: int) -> None:
        super().__init__()
        self.of = nn.ModuleDict({name: _Own(count, width) for name, count in channels.items()})

    def attention(self, xs: Sequence[Tensor | None], present: Tensor | None = None) -> list[Tensor | None]:
        """The gate over the channels of each modality, ``[B, C_i]`` in (0, 2); None where nobody has it."""
        masks = [column(present, i) for i in range(len(xs))]
        parts: list[_Own] = list(self.of.values())  # type: ignore[arg-type]
        own = [None if x is None else part.told(x) for x, part in zip(xs, parts, strict=True)]
        like = next(h for h in own if h is not None)
        count = count_present([mask for h, mask in zip(own, masks, strict=True) if h is not None], like)
        shared = sum_present(own, masks) / count.clamp_min(1)
        return [
            None if h is None else part.gate(2 * torch.sigmoid(part.outward(F.gelu(h + shared))))
            for h, part in zip(own, parts, strict=True)
        ]

    def forward(self, xs: Sequence[Tensor | None], present: Tensor | None = None) -> list[Tensor | None]:
        output: list[Tensor | None] = []
        for i, (x, gate, part) in enumerate(zip(xs, self.attention(xs, present), self.of.values(), strict=True)):
            y = None if x is None or gate is None else x * gate[:, :, None, None] * part.places(x)  # type: ignore[operator]
            output.append(None if y is None else keep(y, column(present, i)))
        return output


class _Own(nn.Module):
    """What a modality has of its own in a gate."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2 * channels)
        self.inward = nn.Linear(2 * channels, width)
        self.outward = nn.Linear(width, channels)
        self.gate = nn.Identity()  # the gate over channels passes through it, for hooks
        self.positions = nn.Conv2d(2, 1, KERNEL, padding=KERNEL // 2)
        for layer in (self.outward, self.positions):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def told(self, x: Tensor) -> Tensor:
        """What the modality says. ``[B, C, H, W] -> [B, width]``."""
        return self.inward(self.norm(torch.cat([global_mean(x), global_max(x)], dim=1)))

    def places(self, x: Tensor) -> Tensor:
        """The gate over positions. ``[B, C, H, W] -> [B, 1, H, W]`` in (0, 2)."""
        return 2 * torch.sigmoid(self.positions(torch.stack([x.mean(dim=1), x.amax(dim=1)], dim=1)))
