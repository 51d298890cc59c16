"""The convolutions of MFA as matrices, and what all ways of computing its pooled vectors share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from drifa.attention.pooling import global_max, global_mean


class Pools(NamedTuple):
    """What the maps of MFA leave behind: ``[B, C // r]`` each, empty for a branch that is switched off."""

    hifa: tuple[Tensor, ...]  # l_0 to l_3 of eq. 1
    clia: tuple[Tensor, ...]  # the mean of eta_1 of eq. 3


def pools_of(vectors: Sequence[Tensor], hifa: bool) -> Pools:
    """The pooled vectors in their places, the last maximum behind its sigmoid.

    Args:
        vectors: ``[B, C // r]`` each: four of HIFA, if it is there, then one of CLIA, if it is there.
        hifa: Whether HIFA is there.
    """
    if not hifa:
        return Pools((), tuple(vectors))
    mean_0, peak_1, mean_2, peak_3, *clia = vectors
    return Pools((mean_0, peak_1, mean_2, torch.sigmoid(peak_3)), tuple(clia))


class Layers(NamedTuple):
    """The convolutions as matrices; a bias is a column."""

    first: Tensor  # psi_0 of HIFA above psi_1 of CLIA
    first_bias: Tensor
    inner: int  # rows of the first matrix that are HIFA's
    deep: list[tuple[Tensor, Tensor]]  # psi_1 to psi_3 of HIFA


def layers_of(hifa: bool, parameters: Sequence[Tensor]) -> Layers:
    pairs = [(weight.flatten(1), bias[:, None]) for weight, bias in zip(parameters[::2], parameters[1::2], strict=True)]
    first = [pairs[0], *pairs[4:]] if hifa else pairs
    weight, bias = (torch.cat(tensors) if len(tensors) > 1 else tensors[0] for tensors in zip(*first, strict=True))
    return Layers(weight, bias, len(pairs[0][0]) if hifa else 0, pairs[1:4] if hifa else [])


def whole(x: Tensor, hifa: bool, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The pooled vectors from whole maps, every step of which autograd knows; the last maximum is before its sigmoid."""
    convs = list(zip(parameters[::2], parameters[1::2], strict=True))
    vectors: tuple[Tensor, ...] = ()
    if hifa:
        features = torch.sigmoid(F.conv2d(x, *convs[0]))
        lambda_1 = torch.sigmoid(F.conv2d(features, *convs[1]))
        lambda_2 = torch.sigmoid(F.conv2d(features + lambda_1, *convs[2]))
        last = F.conv2d(lambda_2, *convs[3])
        vectors = (global_mean(features), global_max(lambda_1), global_mean(lambda_2), global_max(last))
    return (*vectors, *(global_mean(torch.sigmoid(F.conv2d(x, *conv))) for conv in convs[4 if hifa else 0 :]))


def again(
    x: Tensor,
    hifa: bool,
    parameters: Sequence[Tensor],
    needed: Sequence[bool],
    through: Tensor | None,
    grads: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradients of x and of the parameters that are needed, as a graph of whole maps; ``through`` is the rest of x's."""
    inputs = [x, *parameters]
    wanted = [tensor for tensor, needs in zip(inputs, needed, strict=True) if needs]
    pairs = [(v, grad) for v, grad in zip(whole(x, hifa, parameters), grads, strict=True) if grad is not None]
    outputs, given = zip(*pairs, strict=True)
    results = iter(torch.autograd.grad(outputs, wanted, given, create_graph=True, allow_unused=True))
    found = [next(results) if needs else None for needs in needed]
    if through is not None and needed[0]:
        found[0] = through if found[0] is None else found[0] + through
    return found


def as_parameters(sums: Sequence[Tensor], layers: Layers, hifa: bool, parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """The gradients in the order and shape of the parameters."""
    inner = layers.inner
    first = [sums[0][:inner], sums[1][:inner]] if hifa else []
    last = [sums[0][inner:], sums[1][inner:]]
    ordered = [*first, *sums[2:], *last] if len(layers.first) > inner else [*first, *sums[2:]]
    return [grad.reshape(parameter.shape) for grad, parameter in zip(ordered, parameters, strict=True)]
