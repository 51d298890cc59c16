"""What fusions are built for, and maps to give them, without a network around."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from drifa.fusion import FusionSpec

NAMES = {"a": 3, "b": 3}
OPTIONS: dict[str, dict[str, Any]] = {
    "gloria": {"dim": 8},
    "mttu_net": {"dim": 8, "depth": 1, "heads": 2, "mlp": 16},
    "caf": {},
    "mtf_ma": {"dim": 8, "heads": 2},
    "se_matched": {"ratio": 2.0},
}
RIVALS = ["gloria", "mttu_net", "caf", "mtf_ma"]


def spec(for_decoder: bool, modalities: int = 2, channels: tuple[int, ...] = (4, 6, 8)) -> FusionSpec:
    names = ("a", "b", "c")[:modalities]
    return FusionSpec(names, (channels,) * modalities, (True, True, True), {"t": 3}, {"t": names}, for_decoder=for_decoder)


def maps(modalities: int, channels: int, size: int) -> list[Tensor | None]:
    return [torch.randn(3, channels, size, size) for _ in range(modalities)]
