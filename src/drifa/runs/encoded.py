"""Maps of frozen encoders in place of the images of a run, where nothing changes an image before it is encoded."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from drifa.backbones import EncoderBranch
from drifa.config import Config
from drifa.data import ImageCache
from drifa.data.cache.map_cache import MapCache, MapEncoder
from drifa.networks.inputs import to_input
from drifa.progress import Progress


def with_maps(
    config: Config,
    images: ImageCache,
    nets: Sequence[Any],
    root: Path,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> ImageCache | MapCache:
    """The maps of a study's images where networks share frozen encoders and training changes no pixel; else the images.

    Args:
        config: Of the run.
        images: The decoded images.
        nets: The networks that will read.
        root: Folder of the caches.
        device: Where maps that are missing are computed; None for where the networks are.
        progress: Called as ``progress(done, total, what)`` while maps are computed.

    Raises:
        DrifaError: As :meth:`drifa.data.cache.map_cache.MapCache.build`.
    """
    if not nets or not config.data.maps_gb:
        return images
    encoders, home = {}, next(nets[0].parameters()).device
    for name in frozen_encoders(nets[0]):
        if name not in images.files or changing(config, name):
            continue
        found = [map_encoder(net, name, images.image_size, device) for net in nets]
        if len({encoder.key for encoder in found}) == 1:
            encoders[name] = found[0]
    if not encoders:
        return images
    try:
        return MapCache.build(images, encoders, root, config.data.maps_gb, progress)
    finally:
        for name in encoders:
            nets[0].branches[name].encoder.to(home)


def frozen_encoders(net: Any) -> dict[str, EncoderBranch]:
    """Modality -> its branch, for the whole encoders that stay as they are."""
    return {name: branch for name, branch in net.branches.items() if isinstance(branch, EncoderBranch) and branch.frozen}


def changing(config: Config, modality: str) -> list[str]:
    """What in a configuration changes the images of a modality in training, as the overrides that switch it off."""
    own = config.data.augment.get(modality)
    found = []
    for key, value in config.data.augmentation(modality).model_dump().items():
        if value:
            section = f"data.augment.{modality}" if own is not None and getattr(own, key) is not None else "data"
            found.append(f"{section}.{key}={'false' if value is True else 0}")
    return found + (["train.mixup=0"] if config.train.mixup else [])


def tell_why_not(config: Config, net: Any) -> None:
    """Says in one line that frozen backbones run every epoch, and what would spare it."""
    if not config.model.freeze:
        return
    log = logging.getLogger("drifa")
    encoders = frozen_encoders(net)
    if not encoders:
        log.warning(
            "the frozen backbones run every epoch: attention stands inside them; with model.attach=intermediates their maps "
            "are computed once"
        )
        return
    reasons = {name: changing(config, name) for name in encoders}
    changed = [name for name, reason in reasons.items() if reason]
    if changed and config.data.maps_gb:
        switches = dict.fromkeys(switch for reason in reasons.values() for switch in reason)
        log.warning(
            "the frozen encoder of %s runs every epoch, as training changes its images; its maps are computed once with %s",
            *(" and ".join(changed), " ".join(switches)),
        )


def map_encoder(net: Any, modality: str, size: int, device: torch.device | None = None) -> MapEncoder:
    """The frozen encoder of a modality for a cache of its maps.

    Args:
        net: A network whose branch is an :class:`~drifa.backbones.EncoderBranch`.
        modality: Its name.
        size: Side of the images, pixels.
        device: Where it is moved to when it computes maps; None for where it is.
    """
    branch, normalisation = net.branches[modality], net.normalisation.get(modality, (0.5, 0.5))
    encoder = branch.encoder

    home = next(encoder.parameters()).device

    def run(images: Tensor, place: torch.device) -> list[Tensor]:
        encoder.to(place)
        with torch.inference_mode():
            return [level.float().cpu() for level in branch.encode(to_input(images.to(place), *normalisation))]

    blank = run(torch.zeros(1, branch.in_channels, size, size, dtype=torch.uint8), home)
    told = {
        "backbone": _of(net.config["backbone"], modality),
        "arguments": _of(net.config["backbone_args"], modality),
        "levels": [encoder.indices, encoder.norm],
        "normalisation": normalisation,
        "timm": timm.__version__,
    }
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=list).encode())
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(f"\0{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    shapes = tuple(tuple(level.shape[1:]) for level in blank)
    return MapEncoder(digest.hexdigest(), shapes, lambda images: run(images, device or home))


def _of(value: Any, modality: str) -> Any:
    return value.get(modality, value) if isinstance(value, Mapping) else value
