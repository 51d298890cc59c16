"""Max pooling without gradients on a CPU: PyTorch's is several times faster on images that are laid out channels last."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drifa.present import is_recorded


class QuickMaxPool2d(nn.MaxPool2d):
    """MaxPool2d, sooner; with gradients the way back through the layouts takes what is gained.

    Shape:
        ``[B, C, H, W] -> [B, C, H', W']``
    """

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or is_recorded() or x.device.type != "cpu" or x.ndim != 4 or not x.is_contiguous():
            return super().forward(x)
        return super().forward(x.contiguous(memory_format=torch.channels_last)).contiguous()


def quicken_pools(net: nn.Module) -> None:
    """Puts :class:`QuickMaxPool2d` in the place of every plain MaxPool2d."""
    for module in net.modules():
        if type(module) is nn.MaxPool2d and not module.return_indices:
            module.__class__ = QuickMaxPool2d
