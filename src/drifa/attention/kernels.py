"""The maps of MFA computed tile by tile: what HIFA and CLIA pool, without ever holding a whole map.

MFA needs five pooled vectors of its input. The text of the paper, in :mod:`drifa.attention.mfa`, computes a whole map for
each of them and keeps those maps for the backward pass; on a CPU they are larger than any cache, and much of the time
goes into moving them. Here a tile of pixels passes through all convolutions while it stays in the cache, only sums and
maxima leave it, and the backward pass computes the tile again. The rewritings are exact:

* the first convolution of HIFA and that of CLIA read the same pixels: one matrix product serves both;
* the sigmoid rises, so the last map needs no sigmoid before its maximum;
* a mean needs only a sum;
* the gradient of a maximum is zero outside one pixel, so behind the last map one column per channel is all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from drifa.attention.implementation import tile_pixels
from drifa.attention.layers import Layers, Pools, again, as_parameters, layers_of, pools_of
from drifa.attention.tiles import (
    Space,
    collect,
    columns_of,
    inside,
    parts,
    spread,
    through_sigmoid,
    tiles_of,
    weight_and_bias,
)
from drifa.rescaled import rescaled_in_place

#: Up to here the columns of all channels' maxima are more work, one by one, than a matrix product that is mostly zeros.
DENSE_PIXELS = 256
#: Numbers of x that are multiplied at once.
RESCALED_NUMBERS = 262144


def rescaled(x: Tensor, scale: Tensor) -> Tensor:
    """``x * scale``, with one factor ``[B, C]`` for each map; x comes from :func:`pooled`."""
    if torch.is_grad_enabled() and (x.requires_grad or scale.requires_grad):
        return _Rescaled.apply(x, scale)
    return rescaled_in_place(x, scale)


def pooled(x: Tensor, convs: Sequence[nn.Module], hifa: bool) -> tuple[Tensor, Pools]:
    """The pooled vectors of HIFA and CLIA, and the input itself to go on with.

    What :func:`rescaled` computes from the returned input sends its gradient through the same backward pass, which adds to
    it tile by tile instead of a whole map later.

    Args:
        x: ``[B, C, H, W]``.
        convs: The four convolutions of HIFA and the first of CLIA, or those of one of them.
        hifa: Whether HIFA is among them.
    """
    parameters = [tensor for conv in convs for tensor in weight_and_bias(conv)]
    split = 4 if hifa else 0
    rows = sum(len(weight) for weight in (parameters[:1] if hifa else []) + parameters[2 * split :: 2])
    tile = tile_pixels(rows)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *parameters)):
        x, *vectors = _Tiled.apply(x, tile, hifa, *parameters)
    else:
        vectors = [*_pool(x, tile, layers_of(hifa, parameters), places=False).vectors]
    return x, pools_of(vectors, hifa)


class _Pooled(NamedTuple):
    """The vectors, and at which pixel the maxima of lambda_1 and of psi_3(lambda_2) stand."""

    vectors: tuple[Tensor, ...]
    places: tuple[Tensor, ...]


class _Maps(NamedTuple):
    """The maps of one tile, ``[rows, columns]``; a column is one pixel of one image."""

    first: Tensor  # Pi above eta_1
    lambda_1: Tensor
    joined: Tensor  # Pi + lambda_1
    lambda_2: Tensor


def _maps(columns: Tensor, layers: Layers, space: Space) -> _Maps:
    first = space.convolved("first", layers.first, layers.first_bias, columns).sigmoid_()
    if not layers.deep:
        return _Maps(first, first, first, first)
    (psi_1, bias_1), (psi_2, bias_2), _ = layers.deep
    features = first[: layers.inner]
    lambda_1 = space.convolved("lambda_1", psi_1, bias_1, features).sigmoid_()
    joined = torch.add(features, lambda_1, out=space("joined", *features.shape))
    return _Maps(first, lambda_1, joined, space.convolved("lambda_2", psi_2, bias_2, joined).sigmoid_())


def _pool(x: Tensor, tile: int, layers: Layers, places: bool) -> _Pooled:
    flat = x.flatten(2)
    groups, spans = tiles_of(x, tile)
    space = Space(x)
    sums, peaks = [], []  # by group of images
    for images in groups:
        count = len(range(x.shape[0])[images])
        pieces = [_pool_tile(columns_of(flat, images, pixels), count, pixels.start, layers, places, space) for pixels in spans]
        sums.append(torch.stack([part[0] for part in pieces]).sum(0) if len(pieces) > 1 else pieces[0][0])
        peaks.append([_highest([part[1][k] for part in pieces]) for k in range(len(pieces[0][1]))])
    total = torch.cat(sums, dim=1).T / flat.shape[2]
    means = [total[:, : layers.inner], total[:, layers.inner : len(layers.first)], total[:, len(layers.first) :]]
    if not layers.deep:
        return _Pooled((means[1].contiguous(),), ())
    (peak_1, place_1), (peak_3, place_3) = (
        tuple(torch.cat(tensors, dim=1).T.contiguous() for tensors in zip(*(group[k] for group in peaks), strict=True))
        for k in range(2)
    )
    vectors: tuple[Tensor, ...] = (means[0].contiguous(), peak_1, means[2].contiguous(), peak_3)
    if len(layers.first) > layers.inner:
        vectors = (*vectors, means[1].contiguous())
    return _Pooled(vectors, (place_1, place_3) if places else ())


def _pool_tile(
    columns: Tensor, count: int, start: int, layers: Layers, places: bool, space: Space
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """The sums ``[rows, images]`` and, of both maxima, value and pixel."""
    maps = _maps(columns, layers, space)
    if not layers.deep:
        return maps.first.unflatten(1, (count, -1)).sum(2), []
    psi_3, bias_3 = layers.deep[2]
    last = space.convolved("joined", psi_3, bias_3, maps.lambda_2)  # Pi + lambda_1 has been used
    sums = [tensor.unflatten(1, (count, -1)).sum(2) for tensor in (maps.first, maps.lambda_2)]
    peaks = []
    for tensor in (maps.lambda_1, last):
        tensor = tensor.unflatten(1, (count, -1))
        if places:
            value, place = tensor.max(2)
            peaks.append((value, place + start))
        else:  # several times faster than with the place
            value = tensor.amax(2)
            peaks.append((value, value))
    return torch.cat(sums), peaks


def _highest(peaks: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The highest of the tiles; of equal ones the first, as in one maximum over all pixels."""
    if len(peaks) == 1:
        return peaks[0]
    value, which = torch.stack([value for value, _ in peaks]).max(0)
    return value, torch.stack([place for _, place in peaks]).gather(0, which[None])[0]


class _Tiled(torch.autograd.Function):
    """``x, tile, hifa, *parameters -> x, *vectors``; saves nothing but its inputs and the places of two maxima."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, tile: int, hifa: bool, *parameters: Tensor) -> tuple[Tensor, ...]:
        found = _pool(x, tile, layers_of(hifa, parameters), places=True)
        ctx.tile, ctx.hifa = tile, hifa
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, *parameters, *found.places)
        return x, *found.vectors

    @staticmethod
    def backward(ctx: Any, through: Tensor | None, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        split = -2 if ctx.hifa else None
        x, *parameters = ctx.saved_tensors[:split]
        if all(grad is None for grad in grads):
            return through, None, None, *(None for _ in parameters)
        filled = [x.new_zeros(len(x), 1) if grad is None else grad for grad in grads]
        if torch.is_grad_enabled():  # create_graph=True: this gradient is to be derived once more
            needed = (ctx.needs_input_grad[0], *ctx.needs_input_grad[3:])
            found = again(x, ctx.hifa, parameters, needed, through, grads)
        else:
            found = _gradients(x, ctx.tile, ctx.hifa, parameters, ctx.saved_tensors[len(parameters) + 1 :], through, filled)
        return found[0], None, None, *found[1:]


class _Rescaled(torch.autograd.Function):
    """``x * scale``; the products of the backward pass that are only summed are never held for all images."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(x, scale)
        return x * scale[:, :, None, None]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, scale = ctx.saved_tensors
        if torch.is_grad_enabled():
            return grad * scale[:, :, None, None], (grad * x).sum((2, 3))
        grad_x = torch.empty(x.shape, dtype=x.dtype)
        grad_scale = torch.empty_like(scale)
        for images in parts(len(x), max(1, RESCALED_NUMBERS // x[0].numel())):
            torch.mul(grad[images], scale[images, :, None, None], out=grad_x[images])
            torch.sum(grad[images] * x[images], (2, 3), out=grad_scale[images])
        return grad_x, grad_scale


def _gradients(
    x: Tensor,
    tile: int,
    hifa: bool,
    parameters: Sequence[Tensor],
    places: Sequence[Tensor],
    through: Tensor | None,
    grads: Sequence[Tensor],
) -> list[Tensor | None]:
    """The gradients of x and of the parameters, tile by tile, the maps computed once more."""
    layers = layers_of(hifa, parameters)
    rows, inner = len(layers.first), layers.inner
    flat, space = x.flatten(2), Space(x)
    pixels = flat.shape[2]
    # What arrives was made for this function alone, by the multiplication of _Rescaled: its memory becomes the gradient.
    grad_x = flat.new_empty(flat.shape) if through is None else through.flatten(2)
    of_first = flat.new_empty(len(x), rows)  # the gradient of every mean, at each of the pixels
    if rows > inner:
        of_first[:, inner:] = grads[-1] / pixels
    if hifa:
        of_first[:, :inner] = grads[0] / pixels
        of_peak_1, of_lambda_2, of_peak_3 = (grad.expand(-1, inner) for grad in (grads[1], grads[2] / pixels, grads[3]))
    sums = [torch.zeros_like(tensor) for pair in ((layers.first, layers.first_bias), *layers.deep) for tensor in pair]
    groups, spans = tiles_of(x, tile)
    for images, span in product(groups, spans):
        columns = columns_of(flat, images, span)
        maps = _maps(columns, layers, space)
        grad = spread(of_first[images], space("of_first", rows, columns.shape[1]))
        if hifa:
            psi_1, psi_2, psi_3 = (weight for weight, _ in layers.deep)
            grad_2 = spread(of_lambda_2[images], space("of_lambda_2", inner, columns.shape[1]))
            channel, column, value = inside(places[1][images], of_peak_3[images], span)
            if pixels > DENSE_PIXELS:
                grad_2.index_add_(1, column, (psi_3[channel] * value[:, None]).T)
                sums[6].index_add_(0, channel, (maps.lambda_2.index_select(1, column) * value).T)
                sums[7].index_add_(0, channel, value[:, None])
            else:
                grad_3 = space("of_peak_3", inner, columns.shape[1]).zero_()
                grad_3[channel, column] = value
                grad_2.addmm_(psi_3.T, grad_3)
                collect(sums[6:8], grad_3, maps.lambda_2)
            through_sigmoid(grad_2, maps.lambda_2)
            collect(sums[4:6], grad_2, maps.joined)
            grad_1 = torch.mm(psi_2.T, grad_2, out=maps.joined)  # Pi + lambda_1 has been used
            grad[:inner] += grad_1
            channel, column, value = inside(places[0][images], of_peak_1[images], span)
            grad_1[channel, column] += value
            through_sigmoid(grad_1, maps.lambda_1)
            collect(sums[2:4], grad_1, maps.first[:inner])
            grad[:inner].addmm_(psi_1.T, grad_1)
        through_sigmoid(grad, maps.first)
        collect(sums[0:2], grad, columns)
        target = grad_x[images, :, span]
        if len(target) == 1:
            torch.addmm(target[0], layers.first.T, grad, beta=0 if through is None else 1, out=target[0])
        else:
            back = torch.mm(layers.first.T, grad).unflatten(1, (len(target), -1)).transpose(0, 1)
            target.copy_(back) if through is None else target.add_(back)
    return [grad_x.view(x.shape), *as_parameters(sums, layers, hifa, parameters)]
