"""The smallest network of the paper's kind, and images for it."""

from __future__ import annotations

import torch

from drifa import FusionNet, create_model

PAPER = {"modalities": {"dermoscopy": 3, "pap_smear": 3}, "tasks": {"skin_lesion": 7, "cell": 5}}
TINY = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}


def tiny(fusion: str = "drifa", **options) -> FusionNet:
    torch.manual_seed(0)
    sources = {"skin_lesion": ["dermoscopy"], "cell": ["pap_smear"]}
    net = create_model(fusion=fusion, backbone_args=TINY, task_modalities=sources, **{**PAPER, **options})
    # Running statistics as after training: fresh ones would make the last block an identity.
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.eval()


def images(batch: int = 4) -> dict[str, torch.Tensor]:
    return {name: torch.randn(batch, channels, 40, 40) for name, channels in PAPER["modalities"].items()}
