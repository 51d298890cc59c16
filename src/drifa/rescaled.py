"""BatchNorm behind a map that was multiplied channel by channel, without keeping the product for the backward pass.

An attention hands on ``y = x * scale``. Autograd keeps x for it, and y for the BatchNorm that follows; y is x multiplied once
more, which costs less than keeping it: without it a network with an attention behind every convolution keeps a fifth less.

Where no gradient is wanted, a map that was made for an attention alone is multiplied where it lies (:func:`give`).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_SOURCE = "_drifa_rescaled"
_GIVEN = "_drifa_given"


def remember(y: Tensor, x: Tensor, scale: Tensor) -> Tensor:
    """Tells y, ``x * scale[:, :, None, None]``, where it comes from, for a :class:`RescaledBatchNorm2d` behind it."""
    if torch.is_grad_enabled() and y.requires_grad and _plain(y):
        setattr(y, _SOURCE, (x, scale, y._version))
    return y


def give(module: nn.Module, x: Tensor) -> Tensor:
    """What an attention makes of x, which nobody else reads: it is overwritten where no gradient is wanted.

    Args:
        module: Reads x; one that ends in :func:`rescaled_in_place` makes use of it.
        x: A map that was made for this module alone.
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or not _plain(x) or has_hooks(module):
        return cast(Tensor, module(x))
    setattr(x, _GIVEN, True)
    try:
        return cast(Tensor, module(x))
    finally:
        delattr(x, _GIVEN)


def has_hooks(module: nn.Module) -> bool:
    """Whether somebody sees what goes in or comes out, and may keep it."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def rescaled_in_place(x: Tensor, scale: Tensor) -> Tensor:
    """``x * scale[:, :, None, None]``, in the memory of an x that was given, without a gradient."""
    factor = scale[:, :, None, None]
    return x.mul_(factor) if getattr(x, _GIVEN, False) else x * factor


class RescaledBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d that multiplies again in the backward pass what :func:`remember` told of; anywhere else the same as ever.

    On a CPU in training; double backward through it is refused. Parameters, names and results are those of BatchNorm2d.

    Shape:
        ``[B, C, H, W] -> [B, C, H, W]``
    """

    def forward(self, x: Tensor) -> Tensor:
        source = None if torch.compiler.is_compiling() or x[:, 0].numel() < 2 else getattr(x, _SOURCE, None)
        usual = self.training and self.track_running_stats and self.momentum is not None and self.affine
        if source is None or not usual or not _plain(x) or x._version != source[2] or not torch.is_grad_enabled():
            return super().forward(x)
        self._check_input_dim(x)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        statistics = (self.running_mean, self.running_var, self.momentum, self.eps)
        found: Tensor = _Normalised.apply(source[0], source[1], x.detach(), self.weight, self.bias, statistics)
        return found


def rescaled_norms(net: nn.Module) -> None:
    """Puts :class:`RescaledBatchNorm2d` in the place of every plain BatchNorm2d, with all that it has."""
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = RescaledBatchNorm2d


def _plain(x: Tensor) -> bool:
    return type(x) is Tensor and x.device.type == "cpu" and x.is_floating_point() and not torch.is_autocast_enabled("cpu")


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor, y: Tensor, weight: Tensor, bias: Tensor, statistics: tuple[Any, Any, float, float]
    ) -> Tensor:
        *running, momentum, eps = statistics
        result, mean, deviation = torch.ops.aten.native_batch_norm(y, weight, bias, *running, True, momentum, eps)
        ctx.save_for_backward(x, scale, weight, mean, deviation)
        ctx.eps = eps
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, weight, mean, deviation = ctx.saved_tensors
        factor = scale[:, :, None, None]
        through, *own = torch.ops.aten.native_batch_norm_backward(
            grad, x * factor, weight, None, None, mean, deviation, True, ctx.eps, [True, True, True]
        )
        of_scale = (through * x).sum((2, 3))
        return through.mul_(factor), of_scale, None, *own, None
