"""The maps of MFA as matrix products over the pixels of small maps, with a backward pass of their own.

On a map of a few pixels the multiplications are soon done, and calling one operation after another is what takes time. Here
every pixel of every image is a row, what two branches read is multiplied once, and both directions are short lists of
operations, where autograd would keep and walk a node for every step of the text in :mod:`drifa.attention.mfa`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from drifa.attention.layers import Pools, again, as_parameters, layers_of, pools_of
from drifa.attention.tiles import through_sigmoid, weight_and_bias


def pooled_rows(x: Tensor, convs: Sequence[nn.Module], hifa: bool) -> tuple[Tensor, Pools]:
    """As :func:`drifa.attention.kernels.pooled`, for maps of few pixels."""
    parameters = [tensor for conv in convs for tensor in weight_and_bias(conv)]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *parameters)):
        x, *vectors = _Rows.apply(x, hifa, *parameters)
    else:
        vectors = _pool(x, hifa, parameters)[0]
    return x, pools_of(vectors, hifa)


def rows_of(x: Tensor) -> Tensor:
    """``[B, C, H, W] -> [B * H * W, C]``."""
    return x.flatten(2).transpose(1, 2).flatten(0, 1)


def _pool(x: Tensor, hifa: bool, parameters: Sequence[Tensor], places: bool = False) -> tuple[list[Tensor], list[Tensor]]:
    """The vectors, and what the backward pass reads again: three maps, and the places of both maxima."""
    layers = layers_of(hifa, parameters)
    inner = layers.inner

    def by_image(maps: Tensor) -> Tensor:
        return maps.view(len(x), -1, maps.shape[1])

    def highest(maps: Tensor) -> tuple[Tensor, ...]:
        return by_image(maps).max(1) if places else (by_image(maps).amax(1),)

    first = torch.addmm(layers.first_bias.T, rows_of(x), layers.first.T).sigmoid_()
    means = by_image(first).mean(1)
    if not hifa:
        return [means], [first]
    (psi_1, bias_1), (psi_2, bias_2), (psi_3, bias_3) = layers.deep
    features = first[:, :inner]
    lambda_1 = torch.addmm(bias_1.T, features, psi_1.T).sigmoid_()
    lambda_2 = torch.addmm(bias_2.T, features + lambda_1, psi_2.T).sigmoid_()
    peak_1, *place_1 = highest(lambda_1)
    peak_3, *place_3 = highest(torch.addmm(bias_3.T, lambda_2, psi_3.T))
    vectors = [means[:, :inner], peak_1, by_image(lambda_2).mean(1), peak_3]
    if means.shape[1] > inner:
        vectors.append(means[:, inner:])
    return vectors, [first, lambda_1, lambda_2, *place_1, *place_3]


class _Rows(torch.autograd.Function):
    """``x, hifa, *parameters -> x, *vectors``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, hifa: bool, *parameters: Tensor) -> tuple[Tensor, ...]:
        vectors, kept = _pool(x, hifa, parameters, places=True)
        ctx.hifa, ctx.count = hifa, len(parameters)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, *parameters, *kept)
        return x, *vectors

    @staticmethod
    def backward(ctx: Any, through: Tensor | None, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        x, *saved = ctx.saved_tensors
        parameters, kept = saved[: ctx.count], saved[ctx.count :]
        if all(grad is None for grad in grads):
            return through, None, *(None for _ in parameters)
        if torch.is_grad_enabled():  # create_graph=True: this gradient is to be derived once more
            needed = (ctx.needs_input_grad[0], *ctx.needs_input_grad[2:])
            found = again(x, ctx.hifa, parameters, needed, through, grads)
        else:
            found = _gradients(x, ctx.hifa, parameters, kept, through, grads)
        return found[0], None, *found[1:]


def _gradients(
    x: Tensor,
    hifa: bool,
    parameters: Sequence[Tensor],
    kept: Sequence[Tensor],
    through: Tensor | None,
    grads: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradients of x and of the parameters."""
    layers = layers_of(hifa, parameters)
    inner, pixels = layers.inner, x.shape[2] * x.shape[3]
    given = [x.new_zeros(len(x), 1) if grad is None else grad for grad in grads]
    first, *deep = kept
    sums: list[Tensor] = []

    def of_mean(grad: Tensor, width: int) -> Tensor:
        return (grad / pixels)[:, None].expand(-1, pixels, width)

    def by_image(maps: Tensor) -> Tensor:
        return maps.view(len(x), pixels, -1)

    def collect(grad: Tensor, inputs: Tensor) -> None:
        sums[:0] = [grad.T @ inputs, grad.sum(0)]

    means = given[:1] if hifa else []
    if len(layers.first) > inner:
        means = [*means, given[-1]]
    of_first = torch.cat([grad.expand(-1, inner) for grad in means], 1) if len(means) > 1 else means[0]
    grad = of_mean(of_first, len(layers.first)).contiguous()
    if hifa:
        lambda_1, lambda_2, place_1, place_3 = deep
        (psi_1, _), (psi_2, _), (psi_3, _) = layers.deep
        grad_3 = torch.zeros_like(lambda_2)
        by_image(grad_3).scatter_(1, place_3[:, None], given[3].expand(-1, inner)[:, None])
        collect(grad_3, lambda_2)
        grad_2 = grad_3 @ psi_3
        by_image(grad_2).add_(of_mean(given[2], inner))
        through_sigmoid(grad_2, lambda_2)
        collect(grad_2, first[:, :inner] + lambda_1)
        of_joined = grad_2 @ psi_2
        grad_1 = of_joined.clone()
        by_image(grad_1).scatter_add_(1, place_1[:, None], given[1].expand(-1, inner)[:, None])
        through_sigmoid(grad_1, lambda_1)
        collect(grad_1, first[:, :inner])
        grad.flatten(0, 1)[:, :inner].add_(of_joined.addmm_(grad_1, psi_1))
    grad = grad.flatten(0, 1)
    through_sigmoid(grad, first)
    collect(grad, rows_of(x))
    back = by_image(grad @ layers.first).transpose(1, 2).unflatten(2, x.shape[2:])
    return [back if through is None else through.add_(back), *as_parameters(sums, layers, hifa, parameters)]
