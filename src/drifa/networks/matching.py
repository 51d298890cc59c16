"""The width at which the control ``se_matched`` is as large as DRIFA on the same backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from drifa.errors import DrifaError
from drifa.fusion.se_matched import MATCHES, SeMatched
from drifa.networks.complexity import macs, parameters
from drifa.networks.fusionnet import FusionNet

TOLERANCE = 0.02
# Widths that are far above one channel at every stage, so that rounding does not bend the line through their sizes.
PROBES = (2.0, 6.0)


def settled(
    fusion: str, fusion_args: dict[str, Any], mfa: bool | dict[str, Any], build: Callable[..., FusionNet]
) -> dict[str, Any]:
    """The options of a fusion with everything solved for that depends on the rest of the network.

    Args:
        fusion: Name; only ``se_matched`` has such an option.
        fusion_args: Its options as given.
        mfa: Those of DRIFA's attention: the control starts as it does, or a pretrained trunk decides the comparison.
        build: ``build(fusion=…, fusion_args=…)`` gives a network that is the same otherwise.

    Raises:
        DrifaError: If no width comes within 2 % of DRIFA.
    """
    if fusion != SeMatched.name or fusion_args.get("ratio") is not None:
        return fusion_args
    start = mfa.get("start", "paper") if isinstance(mfa, dict) else "paper"
    fusion_args = {"start": start, **{name: value for name, value in fusion_args.items() if name != "ratio"}}
    match, image_size = fusion_args.get("match", MATCHES[0]), fusion_args.get("image_size", 128)

    def size(name: str, **options: Any) -> int:
        with torch.device("meta"):
            net = build(fusion=name, fusion_args=options)
        return macs(net, image_size) if match == "macs" else parameters(net)

    target = size("drifa")
    low, high = (size(fusion, **fusion_args, ratio=probe) for probe in PROBES)
    ratio = PROBES[0] + (target - low) * (PROBES[1] - PROBES[0]) / (high - low)
    found = size(fusion, **fusion_args, ratio=ratio) if ratio > 0 else 0
    if abs(found / target - 1) > TOLERANCE:
        least = size(fusion, **fusion_args, ratio=1e-9)
        raise DrifaError(
            f"no width of fusion 'se_matched' comes within {TOLERANCE:.0%} of the {target:,} {match} that DRIFA has here; the "
            f"narrowest has {least:,}. Compare with a DRIFA of more attention, or give a width: fusion_args={{'ratio': 1.0}}"
        )
    return {**fusion_args, "ratio": ratio}
