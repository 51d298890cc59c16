"""Whether a map of relevance deserves belief: it must depend on what was learned, hold what it needs, and lie on the sign."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from drifa.explain.cam import CELLS, METHODS, correlation, relevance, upsampled
from drifa.networks.fusionnet import FusionNet
from drifa.networks.undisturbed import undisturbed

#: Pixels are taken out, or put in, in so many equal steps.
STEPS = 5
#: Random maps whose areas are averaged.
RANDOM_MAPS = 3
#: Images that are asked about as one batch.
ASKED = 32


@dataclass(frozen=True)
class Faithfulness:
    """Areas under the class's probability while the pixels of one image go or come, the most relevant first.

    Attributes:
        deletion: From the whole image to its mean; low is good. ``[B]``
        insertion: From its mean to the whole image; high is good. ``[B]``
        random: Of both in the order of random smooth maps: backwards, the order of an insertion is that of a deletion. ``[B]``
    """

    deletion: Tensor
    insertion: Tensor
    random: Tensor


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
    maps: Mapping[str, Tensor],
    other: FusionNet,
    inputs: Mapping[str, Tensor],
    present: Tensor | None,
    task: str,
    outputs: Tensor,
    layer: str | None = None,
    method: str = METHODS[0],
) -> dict[str, Tensor]:
    """The randomisation check: correlation with the maps of a network whose weights were shuffled; near 0 is good.

    A map that stays when what was learned is gone, shows edges of the image rather than reasons of the network.

    Args:
        maps: Modality -> relevance ``[B, H, W]``, as the network drew it; of any scale.
        other: Its :func:`shuffled` copy; the other arguments as in :func:`drifa.explain.cam.relevance`.

    Returns:
        Modality -> ``[B]``; NaN without such an image, or where one of the maps is the same everywhere.

    References:
        Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018.
    """
    drawn = relevance(other, inputs, present, task, outputs, layer, method)
    return {name: _alike(own, drawn[name]) for name, own in maps.items()}


class Removal:
    """What a network answers while the pixels of one modality of some rows go, the other modalities staying whole.

    What the other branches compute before they are coupled is kept, and the random maps are judged for all tasks at once.

    Args:
        net: In any mode.
        inputs: As in :func:`drifa.explain.cam.relevance`.
        present: Likewise; every row must have the modality.
        modality: Whose pixels go.
        seed: Of the random maps.

    References:
        Petsiuk et al., RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018.
    """

    def __init__(
        self, net: FusionNet, inputs: Mapping[str, Tensor], present: Tensor | None, modality: str, seed: int = 0
    ) -> None:
        self.net, self.modality = net, modality
        images = net.to_input(inputs)
        self.image: Tensor = images[modality]  # type: ignore[assignment]
        self.blank = self.image.mean(dim=(2, 3), keepdim=True)
        rows = torch.arange(len(self.image), device=self.image.device)
        with torch.no_grad(), undisturbed(net):
            self.begun = net.begin_apart(images, present)
        self.ends = [self._answers(image, rows) for image in (self.image, self.blank.expand_as(self.image))]
        noise = torch.rand(RANDOM_MAPS * len(rows), CELLS, CELLS, generator=torch.Generator().manual_seed(seed))
        maps = upsampled(noise.to(rows.device), self.image.shape[-2:]).unflatten(0, (len(rows), RANDOM_MAPS))
        self.random = {task: areas.mean(dim=1) for task, areas in self._areas(_ranks(maps), rows).items()}

    def faithfulness(self, task: str, outputs: Tensor, maps: Tensor, rows: Tensor | None = None) -> Faithfulness:
        """Deletion and insertion against random maps.

        Args:
            task: A task of classes.
            outputs: The class explained. int64 ``[B]``
            maps: Relevance of the modality. ``[B, H, W]``
            rows: Which rows they are of; None for all. int64 ``[B]``
        """
        rows = torch.arange(len(maps), device=maps.device) if rows is None else rows
        rank = _ranks(maps)
        areas = self._areas(torch.stack([rank, rank[0].numel() - 1 - rank], dim=1), rows)[task]
        deletion, insertion = areas.gather(2, outputs[:, None, None].expand(-1, 2, 1)).squeeze(2).unbind(1)
        return Faithfulness(deletion, insertion, self.random[task][rows].gather(1, outputs[:, None]).squeeze(1))

    def _areas(self, rank: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Task -> area under every answer as pixels go, rank 0 first: int64 ``[B, K, H, W]`` -> ``[B, K, k]``."""
        gone = torch.arange(1, STEPS, device=rank.device) * rank[0, 0].numel() / STEPS
        together = max(1, ASKED // (rank.shape[1] * len(gone)))
        parts = []
        for start in range(0, len(rows), together):
            some = rows[start : start + together]
            without = rank[start : start + together, :, None] < gone[:, None, None]  # [b, K, S, H, W]
            states = torch.where(without[:, :, :, None], self.blank[some, None, None], self.image[some, None, None])
            answers = self._answers(states.flatten(0, 2), some.repeat_interleave(without.shape[1] * len(gone)))
            parts.append({task: values.unflatten(0, without.shape[:3]).sum(dim=2) for task, values in answers.items()})
        whole, blank = self.ends
        return {
            task: (torch.cat([part[task] for part in parts]) + (whole[task] + blank[task])[rows, None] / 2) / STEPS
            for task in whole
        }

    def _answers(self, images: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Task -> answers ``[N, k]`` about some rows that have other images of the modality."""
        with torch.no_grad(), undisturbed(self.net):
            begun = self.begun.exchanged(self.net.begin_apart({self.modality: images}, None), rows)
            outputs = self.net.answers(begun, None)
        return {task: self.net.fusion.spec.link(task).answer(values) for task, values in outputs.items()}


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


def _ranks(maps: Tensor) -> Tensor:
    """The place of every pixel by relevance, 0 for the most: ``[..., H, W]``; ties, such as zeros, as they stand."""
    order = maps.flatten(-2).argsort(dim=-1, descending=True, stable=True)
    return order.argsort(dim=-1).view_as(maps)
