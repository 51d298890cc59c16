"""Whether a map of relevance deserves belief: it must depend on what was learned, hold what it needs, and lie on the sign."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from drifa.explain.cam import CELLS, METHODS, correlation, relevance, upsampled
from drifa.networks.fusionnet import FusionNet
from drifa.networks.undisturbed import undisturbed

#: Pixels are taken out, or put in, in so many equal steps.
STEPS = 10
#: Random maps whose areas are averaged.
RANDOM_MAPS = 3


@dataclass(frozen=True)
class Faithfulness:
    """Areas under the class's probability while the pixels of one image go or come, the most relevant first.

    Attributes:
        deletion: From the whole image to its mean; low is good. ``[B]``
        insertion: From its mean to the whole image; high is good. ``[B]``
        random_deletion: The same in the order of random smooth maps. ``[B]``
        random_insertion: Likewise. ``[B]``
    """

    deletion: Tensor
    insertion: Tensor
    random_deletion: Tensor
    random_insertion: Tensor


def shuffled(net: FusionNet, seed: int = 0) -> FusionNet:
    """A copy with the numbers of every weight tensor in random order: the same sizes and spreads, nothing learned."""
    other = copy.deepcopy(net)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            order = torch.randperm(parameter.numel(), generator=random).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return other


def randomisation(
    net: FusionNet,
    inputs: Mapping[str, Tensor],
    present: Tensor | None,
    task: str,
    outputs: Tensor,
    layer: str | None = None,
    method: str = METHODS[0],
    seed: int = 0,
) -> dict[str, Tensor]:
    """The randomisation check: correlation with the maps of a network whose weights were shuffled; near 0 is good.

    A map that stays when what was learned is gone, shows edges of the image rather than reasons of the network. Arguments as in
    :func:`drifa.explain.cam.relevance`.

    Returns:
        Modality -> ``[B]``; NaN without such an image, or where one of the maps is the same everywhere.

    References:
        Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018.
    """
    own, other = (relevance(one, inputs, present, task, outputs, layer, method) for one in (net, shuffled(net, seed)))
    return {name: _alike(maps, other[name]) for name, maps in own.items()}


def faithfulness(
    net: FusionNet,
    inputs: Mapping[str, Tensor],
    present: Tensor | None,
    task: str,
    outputs: Tensor,
    modality: str,
    maps: Tensor,
    seed: int = 0,
) -> Faithfulness:
    """Deletion and insertion against random maps; the other modalities stay whole.

    Args:
        net: In any mode.
        inputs: As in :func:`drifa.explain.cam.relevance`.
        present: Likewise; every row must have the modality.
        task: A task of classes.
        outputs: The class explained. int64 ``[B]``
        modality: Whose pixels go and come.
        maps: Its relevance. ``[B, H, W]``
        seed: Of the random maps.

    References:
        Petsiuk et al., RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018.
    """
    random = torch.Generator().manual_seed(seed)
    noise = torch.rand(RANDOM_MAPS * len(maps), CELLS, CELLS, generator=random).to(maps.device)
    others = upsampled(noise, maps.shape[1:]).unflatten(0, (RANDOM_MAPS, len(maps)))
    found = []
    with torch.no_grad(), undisturbed(net):
        images = net.to_input(inputs)
        for row in range(len(maps)):
            one = {name: image[row : row + 1] for name, image in images.items()}
            there = None if present is None else present[row : row + 1]
            each = [_areas(net, one, there, task, outputs[row], modality, order) for order in (maps[row], *others[:, row])]
            found.append(torch.cat([each[0], torch.stack(each[1:]).mean(dim=0)]))
    return Faithfulness(*torch.stack(found, dim=1))


def share_inside(maps: Tensor, mask: Tensor) -> Tensor:
    """The share of a map's positive relevance that lies inside a mask; a map without places has the share of the mask's area.

    Args:
        maps: Relevance; what is negative counts as none. ``[B, H, W]``
        mask: Where the sign is known to be. bool ``[B, H, W]``

    Returns:
        In [0, 1]; NaN in rows without positive relevance. ``[B]``

    Examples:
        >>> maps = torch.tensor([[[3.0, 1.0], [0.0, -5.0]]])
        >>> share_inside(maps, torch.tensor([[[True, False], [True, True]]]))
        tensor([0.7500])
    """
    positive = maps.clamp_min(0)
    return (positive * mask).sum(dim=(1, 2)) / positive.sum(dim=(1, 2))


def grown(mask: Tensor, cells: tuple[int, int]) -> Tensor:
    """A mask with a margin as wide as one cell of the grid that a map was stretched from: a map cannot be finer than that.

    Args:
        mask: bool ``[B, H, W]``
        cells: Height and width of the grid, in cells.
    """
    margins = tuple(round(side / count) for side, count in zip(mask.shape[1:], cells, strict=True))
    wide = F.max_pool2d(mask[:, None].float(), tuple(2 * margin + 1 for margin in margins), 1, margins)
    return wide[:, 0] > 0


def _alike(first: Tensor, second: Tensor) -> Tensor:
    flat = [(maps == maps[:, :1, :1]).all(dim=(1, 2)) for maps in (first, second)]
    return correlation(first, second).masked_fill(flat[0] | flat[1], torch.nan)


def _areas(
    net: FusionNet,
    images: Mapping[str, Any],
    present: Tensor | None,
    task: str,
    output: Tensor,
    modality: str,
    order: Tensor,
) -> Tensor:
    """Deletion and insertion of one row, all steps as one batch. ``[2]``"""
    image = images[modality]
    blank = image.mean(dim=(2, 3), keepdim=True)
    # Rank of every pixel, the most relevant first; ties, as of a map with large zeros, fall as they stand.
    rank = order.flatten().argsort(descending=True, stable=True).argsort().view_as(order)
    steps = torch.arange(STEPS + 1, device=rank.device) * rank.numel() / STEPS
    first = (rank < steps[:, None, None])[:, None]
    states = torch.cat([torch.where(first, blank, image), torch.where(first, image, blank)])
    repeated = {name: x.expand(len(states), *x.shape[1:]) for name, x in images.items()}
    mask = None if present is None else present.expand(len(states), -1)
    answers = net.fusion.spec.link(task).answer(net({**repeated, modality: states}, mask)[task])
    return torch.trapezoid(answers[:, output].unflatten(0, (2, STEPS + 1)), dim=1) / STEPS
