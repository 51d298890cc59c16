"""Where in an image an answer comes from: HiResCAM, Grad-CAM and occlusion, per modality and task.

A map is drawn from what a stage of each branch, with the MFA behind it, hands on: the last stage whose maps are fine enough
for places, or one that is named. The network is cut there: gradients run from the score back to these maps and no further.
Libraries for attribution expect positional tensors and one layer; here images come by name with a mask, and all branches are
asked at once, so the hooks are our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa.errors import DrifaError, suggest
from drifa.networks.fusionnet import FusionNet
from drifa.networks.undisturbed import undisturbed

#: The first is the default: HiResCAM's relevance stays where the slope is, while Grad-CAM spreads a channel's mean slope over
#: every place where the channel is active.
METHODS = ("hirescam", "gradcam", "occlusion")
#: Cells along a side that are enough for places: as many as an image of 224 pixels leaves behind a stride of 32, where class
#: activation maps are commonly read.
ENOUGH = 7
#: Cells along a side that occlusion covers one after the other.
CELLS = 8


@dataclass(frozen=True)
class Relevance:
    """The maps of one modality by every member.

    Attributes:
        members: In [0, 1], each map divided by its maximum; NaN where a row has no such image. ``[M, B, H, W]``
    """

    members: Tensor

    @property
    def mean(self) -> Tensor:
        """``[B, H, W]``"""
        return self.members.mean(dim=0)

    @property
    def disagreement(self) -> Tensor:
        """Standard deviation over the members, 0 for a single one. ``[B, H, W]``"""
        return self.members.std(dim=0, correction=0)

    @property
    def agreement(self) -> Tensor:
        """Mean correlation between the maps of two members; NaN for a single one. ``[B]``"""
        count = len(self.members)
        if count < 2:
            return self.members.new_full((self.members.shape[1],), torch.nan)
        pairs = [correlation(self.members[i], self.members[j]) for i in range(count) for j in range(i)]
        return torch.stack(pairs).mean(dim=0)


def stage_of(net: FusionNet, layer: str | None, sides: Mapping[str, tuple[int, int]]) -> int:
    """The number of the stage whose maps are read.

    Args:
        net: The network.
        layer: What any of the branches calls the stage; ``None`` = the last one whose maps have :data:`ENOUGH` cells along
            every side, or the most there are.
        sides: Modality -> height and width of its images, in pixels.

    Raises:
        DrifaError: No branch has such a stage.
    """
    if layer is None:
        stages = range(net.stage_count)
        fewest = [min([ENOUGH, *(_fewest(net, name, stage, side) for name, side in sides.items())]) for stage in stages]
        return max(stages, key=lambda stage: (fewest[stage], stage))
    names = {info.name: k for branch in net.branches.values() for k, info in enumerate(_infos(branch))}
    if layer not in names:
        raise DrifaError(f"layer {layer!r} is not a stage of this network{suggest(layer, names)}")
    return names[layer]


def relevance(
    net: FusionNet,
    inputs: Mapping[str, Tensor],
    present: Tensor | None,
    task: str,
    outputs: Tensor,
    layer: str | None = None,
    method: str = METHODS[0],
) -> dict[str, Tensor]:
    """What speaks for an answer, as a map over every image.

    Args:
        net: In any mode; it is asked in evaluation mode and left as it was, gradients and hooks included.
        inputs: Modality name -> images ``[B, C, H, W]``; bytes are standardised.
        present: bool ``[B, m]`` or ``None``.
        task: The task.
        outputs: Which output of the task is explained, such as the predicted class. int64 ``[B]``
        layer: Name of the stage whose maps are read; ``None`` as in :func:`stage_of`. Occlusion reads none.
        method: ``"hirescam"`` (gradient times map at each place), ``"gradcam"`` (channels weighted by their mean gradient) or
            ``"occlusion"`` (how much the score falls when a cell is covered with the image's mean).

    Returns:
        Modality of images -> ``[B, H, W]`` at the size of the images, not negative; NaN in rows without it.

    Raises:
        DrifaError: An unknown method, layer or task, or maps of one pixel.

    References:
        Draelos & Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks, 2020;
        Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, ICCV 2017.

    Examples:
        >>> from drifa import create_model
        >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
        >>> net = create_model(modalities={"photo": 3, "scan": 1}, tasks={"lesion": 7}, backbone_args=tiny)
        >>> images = {"photo": torch.rand(2, 3, 64, 64), "scan": torch.rand(2, 1, 96, 96)}
        >>> maps = relevance(net, images, None, "lesion", torch.tensor([0, 6]))
        >>> [tuple(x.shape) for x in maps.values()], net.training
        ([(2, 64, 64), (2, 96, 96)], True)
    """
    if method not in METHODS:
        raise DrifaError(f"method {method!r} is not known{suggest(method, METHODS)}")
    if task not in net.heads:
        raise DrifaError(f"task {task!r} is not one of this network{suggest(task, net.heads)}")
    # Inference tensors cannot enter a graph, whoever asks.
    with torch.inference_mode(False), undisturbed(net):
        images = {name: _usual(x) for name, x in net.to_input(inputs).items() if isinstance(x, Tensor)}
        sides = _sides(images)
        pictures, stage, outputs = list(sides), stage_of(net, layer, sides), _usual(outputs)
        if method == "occlusion":
            found = _occluded(net, images, present, pictures, task, outputs)
        else:
            found = _activated(net, images, present, pictures, task, outputs, stage, method)
    for name, values in found.items():
        if present is not None:
            values[~present[:, net.modalities.index(name)]] = torch.nan
    return found


def ensemble_relevance(
    nets: Sequence[FusionNet],
    inputs: Mapping[str, Tensor],
    present: Tensor | None,
    task: str,
    outputs: Tensor,
    layer: str | None = None,
    method: str = METHODS[0],
) -> dict[str, Relevance]:
    """The maps of several networks; arguments as in :func:`relevance`. Each counts alike, whatever the size of its scores."""
    each = [relevance(net, inputs, present, task, outputs, layer, method) for net in nets]
    return {name: Relevance(torch.stack([scaled(maps[name]) for maps in each])) for name in each[0]}


def cells(
    net: FusionNet, inputs: Mapping[str, Tensor], present: Tensor | None, layer: str | None = None, method: str = METHODS[0]
) -> dict[str, tuple[int, int]]:
    """Rows and columns of the grid that the map of each modality is stretched from; arguments as in :func:`relevance`."""
    images = {name: x[:1] for name, x in net.to_input(inputs).items() if isinstance(x, Tensor)}
    sides = _sides(images)
    if method == "occlusion":
        return {name: (min(CELLS, height), min(CELLS, width)) for name, (height, width) in sides.items()}
    with torch.no_grad(), undisturbed(net):
        maps = net.stage_maps(images, None if present is None else present[:1])
    stage = stage_of(net, layer, sides)
    return {name: (maps[name][stage].shape[-2], maps[name][stage].shape[-1]) for name in sides if name in maps}


def layer_of(net: FusionNet, inputs: Mapping[str, Any], layer: str | None = None) -> str:
    """The name, by the first branch, of the stage whose maps are read; arguments as in :func:`relevance`."""
    sides = _sides({name: x for name, x in inputs.items() if isinstance(x, Tensor)})
    return layer or str(_infos(next(iter(net.branches.values())))[stage_of(net, None, sides)].name)


def scaled(maps: Tensor) -> Tensor:
    """Divided by the maximum; a map of zeros stays one. ``[B, H, W]``"""
    return maps / maps.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation of the maps of each row, 0 where one is constant: ``[B, H, W]`` twice -> ``[B]``."""
    a, b = (maps.flatten(1) - maps.flatten(1).mean(dim=1, keepdim=True) for maps in (first, second))
    return F.cosine_similarity(a, b, dim=1)


def score(net: FusionNet, images: Mapping[str, Any], present: Tensor | None, task: str, outputs: Tensor) -> Tensor:
    """The output that is explained, of each row, before any softmax. ``[B]``"""
    return net(images, present)[task].gather(1, outputs[:, None]).squeeze(1)


def _activated(
    net: FusionNet,
    images: Mapping[str, Tensor],
    present: Tensor | None,
    pictures: Sequence[str],
    task: str,
    outputs: Tensor,
    stage: int,
    method: str,
) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}

    def cut(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            seen[name] = output.detach().requires_grad_()
            return seen[name]

        return hook

    handles = [net.branches[name].refine[stage].register_forward_hook(cut(name)) for name in pictures]  # type: ignore[index, union-attr]
    try:
        with torch.enable_grad():
            total = score(net, images, present, task, outputs).sum()  # rows do not know each other in evaluation mode
            _check_pixels(net, images, seen, stage)
            # torch.autograd.grad leaves the parameters' own gradients alone.
            slopes = torch.autograd.grad(total, list(seen.values()), allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    found = {name: torch.zeros_like(images[name][:, 0]) for name in pictures}
    # Cut at 0 behind the stretching, so that what speaks against the answer keeps its neighbours from spreading into it.
    for (name, maps), slope in zip(seen.items(), slopes, strict=True):
        if slope is not None:
            weights = slope if method == "hirescam" else slope.mean(dim=(2, 3), keepdim=True)
            found[name] = upsampled((weights * maps.detach()).sum(dim=1), images[name].shape[-2:]).relu()
    return found


def _occluded(
    net: FusionNet, images: Mapping[str, Tensor], present: Tensor | None, pictures: Sequence[str], task: str, outputs: Tensor
) -> dict[str, Tensor]:
    found = {}
    with torch.no_grad():
        whole = score(net, images, present, task, outputs)
        for name in pictures:
            image = images[name]
            if present is not None and not bool(present[:, net.modalities.index(name)].any()):
                found[name] = torch.zeros_like(image[:, 0])
                continue
            blank = image.mean(dim=(2, 3), keepdim=True)
            rows, columns = (torch.linspace(0, side, min(CELLS, side) + 1).round().int().tolist() for side in image.shape[-2:])
            falls = image.new_zeros(len(image), len(rows) - 1, len(columns) - 1)
            for i in range(len(rows) - 1):
                for j in range(len(columns) - 1):
                    covered = image.clone()
                    covered[:, :, rows[i] : rows[i + 1], columns[j] : columns[j + 1]] = blank
                    falls[:, i, j] = whole - score(net, {**images, name: covered}, present, task, outputs)
            found[name] = upsampled(falls, image.shape[-2:]).relu()
    return found


def upsampled(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps stretched to another height and width. ``[B, h, w] -> [B, H, W]``"""
    return F.interpolate(maps[:, None].float(), size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


def _check_pixels(net: FusionNet, images: Mapping[str, Tensor], seen: Mapping[str, Tensor], stage: int) -> None:
    for name, maps in seen.items():
        if maps.shape[2] * maps.shape[3] > 1:
            continue
        infos, side = _infos(net.branches[name]), max(images[name].shape[-2:])
        larger = [info.name for info in infos[:stage] if side > info.reduction]
        remedy = f"take an earlier layer, such as {larger[-1]!r}, or occlusion" if larger else "take the method occlusion"
        raise DrifaError(
            f"the maps of modality {name!r} have one pixel at the layer {infos[stage].name!r}, which holds no places and gives "
            f"no map of relevance; {remedy}"
        )


def _sides(images: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    """Height and width of every image; values of a table have a single place and are none."""
    return {name: (x.shape[-2], x.shape[-1]) for name, x in images.items() if x.shape[-1] * x.shape[-2] > 1}


def _fewest(net: FusionNet, name: str, stage: int, side: tuple[int, int]) -> int:
    """Cells along the shorter side of a stage's map."""
    return -(-min(side) // int(_infos(net.branches[name])[stage].reduction))


def _usual(x: Tensor) -> Tensor:
    return x.clone() if x.is_inference() else x


def _infos(branch: Any) -> Sequence[Any]:
    return branch.infos
