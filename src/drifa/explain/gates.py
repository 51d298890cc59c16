"""What the gates of a trained network do over some samples, see :mod:`drifa.networks.gates`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from drifa.errors import DrifaError
from drifa.networks import FusionNet
from drifa.networks.gates import Gate, GateSums, has_gates
from drifa.networks.undisturbed import undisturbed


def gates(net: FusionNet, batches: Iterable[tuple[Mapping[str, Tensor], Tensor]]) -> list[Gate]:
    """What every gate of a network does over some samples, in the order in which they are run.

    Args:
        net: In any mode; left as it was.
        batches: Images by modality, and present, bool ``[B, m]``.

    Raises:
        DrifaError: The network has no gates.

    Examples:
        >>> from drifa import create_model
        >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
        >>> net = create_model(modalities={"photo": 3, "scan": 1}, tasks={"lesion": 7}, backbone_args=tiny)
        >>> images = {"photo": torch.rand(2, 3, 64, 64), "scan": torch.rand(2, 1, 64, 64)}
        >>> found = gates(net, [(images, torch.ones(2, 2, dtype=torch.bool))])
        >>> {(gate.kind, gate.modality) for gate in found} >= {("mfa", "photo"), ("mifa", "scan")}
        True
    """
    if not has_gates(net):
        raise DrifaError(f"fusion {net.fusion.name!r} has no gates to look at")
    sums = GateSums()
    with torch.no_grad(), undisturbed(net):
        for images, there in batches:
            given, present = net.to_input(images), there.to(next(net.parameters()).device)
            with sums.watching(net, given, present):
                net(given, present)
    return sums.gates()
