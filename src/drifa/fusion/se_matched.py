"""The control of equal size (S2): concatenation with squeeze-and-excitation, widened until it is as large as DRIFA.

An attention that wins against a network with half its parameters has shown nothing. Here every stage of every branch is
followed by squeeze-and-excitation (Hu et al., CVPR 2018, arXiv:1709.01507) and a residual pointwise network, whose hidden
width is solved for. Nothing passes between the branches before the readout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from drifa.attention.mfa import STARTS
from drifa.attention.pooling import global_mean
from drifa.errors import DrifaError
from drifa.fusion.base import Fusion, FusionSpec, check_choice, check_counts
from drifa.present import column, run_present

MATCHES = ("parameters", "macs")
SE_REDUCTION = 16


class SeMatched(Fusion):
    """SE and a widened pointwise block after each stage; as large as DRIFA on the same backbone within 2 %.

    Args:
        spec: The branches and tasks.
        match: What is equal: ``"parameters"``, or ``"macs"`` (multiply-accumulates of one forward pass).
        ratio: Hidden width of the pointwise blocks, in units of a stage's channels. ``None``: ``create_model`` solves for it.
        image_size: Side of the images that ``match="macs"`` counts with, pixels.
        start: ``"paper"``: gates begin near one half, as published. ``"identity"``: twice the sigmoid of zero, so that the
            network begins as the one without it, as :class:`~drifa.MFA` may. Left out, ``create_model`` takes that of MFA.
    """

    name: ClassVar[str] = "se_matched"
    title: ClassVar[str] = "concatenation, squeeze-and-excitation and as many parameters (or MACs) as DRIFA"

    def __init__(
        self,
        spec: FusionSpec,
        match: str = "parameters",
        ratio: float | None = None,
        image_size: int = 128,
        start: str = "paper",
    ) -> None:
        super().__init__(spec)
        check_choice("match", match, MATCHES)
        check_choice("start", start, STARTS)
        check_counts(self.name, image_size=image_size)
        if not isinstance(ratio, (int, float)) or not ratio > 0:
            raise DrifaError(f"fusion 'se_matched': ratio={ratio!r} is not above zero; create_model solves for it")
        self.blocks = nn.ModuleDict(
            {
                name: nn.ModuleList(_Widened(c, max(1, round(ratio * c)), start) for c in channels)
                for name, channels in zip(spec.modalities, spec.channels, strict=True)
            }
        )

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        return [
            None if x is None else run_present(self.blocks[name][stage], x, column(present, i))  # type: ignore[index]
            for i, (name, x) in enumerate(zip(self.spec.modalities, features, strict=True))
        ]


class _Widened(nn.Module):
    """SE, then a residual pointwise block. ``[B, C, H, W] -> [B, C, H, W]``."""

    def __init__(self, channels: int, hidden: int, start: str) -> None:
        super().__init__()
        self.scale = 1.0
        squeezed = max(1, channels // SE_REDUCTION)
        self.excite = nn.Sequential(nn.Linear(channels, squeezed), nn.ReLU(), nn.Linear(squeezed, channels), nn.Sigmoid())
        self.wide = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        nn.init.zeros_(self.wide[-1].weight)  # type: ignore[arg-type]  # starts as the plain SE network
        if start == "identity":
            self.scale = 2.0
            nn.init.zeros_(self.excite[2].weight)  # type: ignore[arg-type]
            nn.init.zeros_(self.excite[2].bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = x * (self.scale * self.excite(global_mean(x)))[:, :, None, None]
        return x + self.wide(x)
