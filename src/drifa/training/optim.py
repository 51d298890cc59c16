"""What is stepped, and how far: groups of parameters, the optimiser, the learning rate over time, a running average."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from drifa.attention import MFA
from drifa.backbones.intermediates import Carry
from drifa.config import TrainConfig

MOMENTUM = 0.9
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


def trunk_parameters(net: Any) -> list[nn.Parameter]:
    """Parameters of the branches that were read of weights files; what was put into them is new and does not count."""
    found: list[nn.Parameter] = []
    for name in net.loaded:
        branch = net.branches[name]
        new = {
            id(parameter) for module in branch.modules() if isinstance(module, MFA | Carry) for parameter in module.parameters()
        }
        found += [parameter for parameter in branch.parameters() if id(parameter) not in new]
    return found


def make_optimizer(net: Any, recipe: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser of a recipe; its first group is of what is new and decays, if there is any."""
    options: dict[str, Any] = {"momentum": MOMENTUM} if recipe.optimizer == "sgd" else {}
    return OPTIMIZERS[recipe.optimizer](parameter_groups(net, recipe), lr=recipe.lr, **options)


def parameter_groups(net: Any, recipe: TrainConfig) -> list[dict[str, Any]]:
    """Parameters by learning rate and weight decay; one group where all are treated alike."""
    trunk = {id(parameter) for parameter in trunk_parameters(net)} if recipe.trunk_lr != 1 else set()
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        decays = recipe.weight_decay > 0 and parameter.ndim > 1 and "omega" not in name
        groups.setdefault((id(parameter) in trunk, not decays and recipe.weight_decay > 0), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": recipe.lr * (recipe.trunk_lr if pretrained else 1),
            "weight_decay": 0.0 if spared else recipe.weight_decay,
        }
        for (pretrained, spared), parameters in sorted(groups.items())
    ]


def cosine_factor(progress: float, warmup: float, floor: float) -> float:
    """The learning rate as a factor of its peak: a straight rise, then half a cosine down to the floor.

    Args:
        progress: Share of all steps that are done, from 0 to 1.
        warmup: Share of them that rises.
        floor: The last factor.
    """
    if progress < warmup:
        return progress / warmup
    done = (progress - warmup) / (1 - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2


def running_average(net: nn.Module, decay: float) -> AveragedModel:
    """A copy of a network whose weights and statistics follow it slowly; faster in the first steps, which know nothing."""

    def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: int | Tensor) -> None:
        steps = int(count)
        weight = 1 - min(decay, (1 + steps) / (10 + steps))
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new.to(old.dtype), weight)
            else:
                old.copy_(new)

    copy = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    return copy.requires_grad_(False)
