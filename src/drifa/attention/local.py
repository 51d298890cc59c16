"""The map of MLIFA computed tile by tile: its minimum, mean and maximum, without ever holding the whole map.

The sigmoid rises, so the extremes are found before it; the backward pass computes each tile again.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa.attention.implementation import tile_pixels
from drifa.attention.pooling import global_max, global_mean, global_min
from drifa.attention.tiles import Space, collect, columns_of, inside, spread, through_sigmoid, tiles_of, weight_and_bias


def pooled_local(x: Tensor, conv: nn.Module) -> Tensor:
    """Minimum, mean and maximum of ``sigmoid(conv(x))``, added. ``[B, C, H, W] -> [B, C // r]``."""
    weight, bias = weight_and_bias(conv)
    tile = tile_pixels(len(weight))
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, weight, bias)):
        return _Local.apply(x, tile, weight, bias)
    return _pool(x, tile, weight, bias, places=False)[0]


def _pool(x: Tensor, tile: int, weight: Tensor, bias: Tensor, places: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The sum of the three, and the pixels of minimum and maximum if they are wanted."""
    matrix, column = weight.flatten(1), bias[:, None]
    flat, space = x.flatten(2), Space(x)
    groups, spans = tiles_of(x, tile)
    pooled = []
    for images in groups:
        found = []
        for span in spans:
            local = space.convolved("local", matrix, column, columns_of(flat, images, span))
            by_image = local.unflatten(1, (len(x[images]), -1))
            if places:
                (low, low_place), (high, high_place) = by_image.min(2), by_image.max(2)
                extremes = (low, low_place + span.start, high, high_place + span.start)
            else:  # ten times faster than with the places
                low, high = by_image.amin(2), by_image.amax(2)
                extremes = (low, low, high, high)
            local.sigmoid_()
            found.append((*extremes, by_image.sum(2)))
        lows, low_places, highs, high_places, sums = (torch.stack(tensors) for tensors in zip(*found, strict=True))
        (low, in_low), (high, in_high) = lows.min(0), highs.max(0)
        total = torch.sigmoid(low) + sums.sum(0) / flat.shape[2] + torch.sigmoid(high)
        pooled.append((total, low_places.gather(0, in_low[None])[0], high_places.gather(0, in_high[None])[0]))
    total, at_low, at_high = (torch.cat(tensors, dim=1).T.contiguous() for tensors in zip(*pooled, strict=True))
    return total, at_low, at_high


class _Local(torch.autograd.Function):
    """``x, tile, weight, bias -> vector``; saves nothing but its inputs and the places of the extremes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, tile: int, weight: Tensor, bias: Tensor) -> Tensor:
        total, *places = _pool(x, tile, weight, bias, places=True)
        ctx.tile = tile
        ctx.save_for_backward(x, weight, bias, *places)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, at_low, at_high = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: this gradient is to be derived once more
            local = torch.sigmoid(F.conv2d(x, weight, bias))
            total = global_min(local) + global_mean(local) + global_max(local)
            needs = (ctx.needs_input_grad[0], *ctx.needs_input_grad[2:])
            wanted = [tensor for tensor, need in zip((x, weight, bias), needs, strict=True) if need]
            found = iter(torch.autograd.grad(total, wanted, grad, create_graph=True))
            of_x, of_weight, of_bias = (next(found) if need else None for need in needs)
            return of_x, None, of_weight, of_bias
        matrix, column = weight.flatten(1), bias[:, None]
        flat, space = x.flatten(2), Space(x)
        grad_x = flat.new_empty(flat.shape)
        sums = [torch.zeros_like(matrix), torch.zeros_like(column)]
        for images, span in product(*tiles_of(x, ctx.tile)):
            columns = columns_of(flat, images, span)
            local = space.convolved("local", matrix, column, columns).sigmoid_()
            grad_local = spread(grad[images] / flat.shape[2], space("of_local", *local.shape))
            for places in (at_low, at_high):
                channel, place, value = inside(places[images], grad[images], span)
                grad_local[channel, place] += value
            through_sigmoid(grad_local, local)
            collect(sums, grad_local, columns)
            target = grad_x[images, :, span]
            back = torch.mm(matrix.T, grad_local, out=space("of_x", *columns.shape))
            target.copy_(back.unflatten(1, (len(target), -1)).transpose(0, 1))
        return grad_x.view(x.shape), None, sums[0].view(weight.shape), sums[1].view(bias.shape)
