"""Where in an image an answer comes from: Grad-CAM, HiResCAM and occlusion, per modality and task.

A map is drawn from what the last block of each branch, with the MFA behind it, hands to the fusion; any other stage can be
named. The network is cut there: gradients run from the score back to these maps and no further. Libraries for attribution
expect positional tensors and one layer; here images come by name with a mask, and all branches are asked at once, so the
hooks are our own.
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

METHODS = ("gradcam", "hirescam", "occlusion")
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


def stage_of(net: FusionNet, layer: str | None) -> int:
    """The number of a stage that any of the branches calls so; the last one for ``None``.

    Raises:
        DrifaError: No branch has such a stage.
    """
    if layer is None:
        return net.stage_count - 1
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
    method: str = "gradcam",
) -> dict[str, Tensor]:
    """What speaks for an answer, as a map over every image.

    Args:
        net: In any mode; it is asked in evaluation mode and left as it was, gradients and hooks included.
        inputs: Modality name -> images ``[B, C, H, W]``; bytes are standardised.
        present: bool ``[B, m]`` or ``None``.
        task: The task.
        outputs: Which output of the task is explained, such as the predicted class. int64 ``[B]``
        layer: Name of the stage whose maps are read; ``None`` = the last. Occlusion reads none.
        method: ``"gradcam"`` (channels weighted by their mean gradient), ``"hirescam"`` (gradient times map at each place) or
            ``"occlusion"`` (how much the score falls when a cell is covered with the image's mean).

    Returns:
        Modality of images -> ``[B, H, W]`` at the size of the images, not negative; NaN in rows without it.

    Raises:
        DrifaError: An unknown method, layer or task, or maps of one pixel.

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
    stage = stage_of(net, layer)
    # Inference tensors cannot enter a graph, whoever asks.
    with torch.inference_mode(False), undisturbed(net):
        images = {name: _usual(x) for name, x in net.to_input(inputs).items() if isinstance(x, Tensor)}
        pictures = [name for name, x in images.items() if x.shape[-1] * x.shape[-2] > 1]
        outputs = _usual(outputs)
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
    method: str = "gradcam",
) -> dict[str, Relevance]:
    """The maps of several networks; arguments as in :func:`relevance`. Each counts alike, whatever the size of its scores."""
    each = [relevance(net, inputs, present, task, outputs, layer, method) for net in nets]
    return {name: Relevance(torch.stack([scaled(maps[name]) for maps in each])) for name in each[0]}


def cells(
    net: FusionNet, inputs: Mapping[str, Tensor], present: Tensor | None, layer: str | None = None, method: str = "gradcam"
) -> dict[str, tuple[int, int]]:
    """Rows and columns of the grid that the map of each modality is stretched from; arguments as in :func:`relevance`."""
    images = {name: x[:1] for name, x in net.to_input(inputs).items() if isinstance(x, Tensor)}
    sides = {name: (x.shape[-2], x.shape[-1]) for name, x in images.items() if x.shape[-1] * x.shape[-2] > 1}
    if method == "occlusion":
        return {name: (min(CELLS, height), min(CELLS, width)) for name, (height, width) in sides.items()}
    with torch.no_grad(), undisturbed(net):
        maps = net.stage_maps(images, None if present is None else present[:1])
    stage = stage_of(net, layer)
    return {name: (maps[name][stage].shape[-2], maps[name][stage].shape[-1]) for name in sides if name in maps}


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
    for (name, maps), slope in zip(seen.items(), slopes, strict=True):
        if slope is not None:
            weights = slope if method == "hirescam" else slope.mean(dim=(2, 3), keepdim=True)
            found[name] = upsampled((weights * maps.detach()).sum(dim=1).relu(), images[name].shape[-2:])
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
            found[name] = upsampled(falls.relu(), image.shape[-2:])
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


def _usual(x: Tensor) -> Tensor:
    return x.clone() if x.is_inference() else x


def _infos(branch: Any) -> Sequence[Any]:
    return branch.infos
