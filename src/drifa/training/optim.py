"""What is stepped, and how far: groups of parameters, the optimiser, the learning rate over time, a running average."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
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
    groups = parameter_groups(net, recipe)
    # On a CPU a call for every tensor takes longer than the arithmetic. On a GPU, Lightning clips no gradients of a fused
    # optimiser in half precision.
    options: dict[str, Any] = {"fused": all(one.device.type == "cpu" for group in groups for one in group["params"])}
    if recipe.optimizer == "sgd":
        options["momentum"] = MOMENTUM
    return OPTIMIZERS[recipe.optimizer](groups, lr=recipe.lr, **options)


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


class RunningAverage(AveragedModel):
    """A copy of a network whose weights and statistics follow it slowly; faster in the first steps, which know nothing.

    torch walks both networks at every step, which takes as long as the step of a small network; here they are walked once.

    Args:
        net: The network that is followed.
        decay: What is kept of the average at each step, in (0, 1).
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__(net, use_buffers=True)
        self.requires_grad_(False)
        self.decay = decay
        self._followed: tuple[nn.Module, list[_Place], list[_Place]] | None = None

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Steps towards the network as it is."""
        if self._followed is None or self._followed[0] is not model:
            self._followed = model, _places(self.module), _places(model)
        steps = int(self.n_averaged)
        # Before the first step everything is taken over; later what is not trained stays as it was.
        pairs = [
            (own[name], other[name])
            for (own, name), (other, _) in zip(*self._followed[1:], strict=True)
            if not steps or other[name].requires_grad or not isinstance(other[name], nn.Parameter)
        ]
        weight = 1 - min(self.decay, (1 + steps) / (10 + steps)) if steps else 1.0
        for old, new in pairs:
            if steps and old.is_floating_point():
                old.lerp_(new.to(old.dtype), weight)
            else:
                old.copy_(new)
        self.n_averaged += 1


_Place = tuple[dict[str, Any], str]


def _places(net: nn.Module) -> list[_Place]:
    """Where a network keeps each of its tensors, each once: a move to another device changes what is there, not the place."""
    seen: set[int] = set()
    places: list[_Place] = []
    for kind in ("_parameters", "_buffers"):
        for module in net.modules():
            held = getattr(module, kind)
            for name, tensor in held.items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    places.append((held, name))
    return places
