"""How large a network is: parameters, and multiply-accumulates of one forward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from drifa.networks.fusionnet import FusionNet
from drifa.networks.segnet import FusionSegNet


def parameters(net: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def macs(net: FusionNet | FusionSegNet, image_size: int = 128) -> int:
    """Multiply-accumulates of one subject with every modality; convolutions, matrix products and attention are counted.

    Args:
        net: A network; on the ``meta`` device nothing is computed.
        image_size: Side of the images, pixels.
    """
    images = blank_images(net, image_size, 1, next(net.parameters()).device)
    training = net.training
    net._check(images, None)  # a branch may try a new image size once, which is not to be counted
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.eval()(images)
    net.train(training)
    return counter.get_total_flops() // 2  # one multiply-accumulate is two operations


def blank_images(net: FusionNet | FusionSegNet, image_size: int, rows: int, device: torch.device) -> dict[str, Tensor]:
    """Modality -> zeros of the shape that a network takes, ``[rows, C, H, W]``; of columns of a table, H = W = 1.

    Args:
        net: A network.
        image_size: Side of the images, pixels.
        rows: How many.
        device: Where they are made.
    """
    table = net.config.get("tabular", ())
    return {
        name: torch.zeros(rows, channels, *((1, 1) if name in table else (image_size, image_size)), device=device)
        for name, channels in net.config["modalities"].items()
    }
