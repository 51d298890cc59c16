"""What a network may be given: images as standardised floats, inputs by name, and which rows have which modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from drifa.backbones import EncoderBranch
from drifa.errors import DrifaError, suggest
from drifa.networks.arguments import told
from drifa.present import is_recorded

Features = list[Tensor | None]
#: What a whole encoder gives for some images: per level ``[B, C, H, W]``.
Maps = Sequence[Tensor]
#: Modality name -> images, or the maps that an encoder gave for them.
Inputs = Mapping[str, Tensor | Maps]


def check_given(inputs: object, example: str = "photo") -> None:
    """Refuses what is no mapping from modalities to tensors.

    Args:
        inputs: Whatever was given.
        example: A modality of the network.
    """
    if not isinstance(inputs, Mapping):
        raise DrifaError(
            f"a network reads a mapping modality -> images [B, C, H, W], as {{{example!r}: images}}, not {told(inputs)}"
        )
    for name, x in inputs.items():
        several = isinstance(x, Sequence) and not isinstance(x, str) and len(x) > 0
        if not isinstance(x, Tensor) and not (several and all(isinstance(level, Tensor) for level in x)):
            raise DrifaError(f"modality {name!r} is given as {told(x)}; a tensor [B, C, H, W] is needed")


def check_numbers(name: str, x: Tensor, dtype: torch.dtype) -> None:
    """Refuses numbers that a branch does not compute in.

    Args:
        name: The modality.
        x: Its images.
        dtype: That of the branch's weights.
    """
    if not x.is_floating_point():
        raise DrifaError(
            f"modality {name!r} has numbers of {str(x.dtype)[6:]}; bytes become images by net(net.to_input(images))"
        )
    if x.dtype != dtype and not torch.is_autocast_enabled(x.device.type):
        raise DrifaError(
            f"modality {name!r} has numbers of {str(x.dtype)[6:]}, and the network computes in {str(dtype)[6:]}; convert one "
            f"of them with .to()"
        )


def check_inputs(
    inputs: Mapping[str, Tensor], present: Tensor | None, channels: Mapping[str, int]
) -> tuple[Features, Tensor | None]:
    """Puts inputs into the order of the modalities; a modality that no row has becomes ``None``.

    Args:
        inputs: Modality name -> ``[B, C, H, W]``.
        present: bool ``[B, m]``; ``None`` = every given modality in every row.
        channels: Modality name -> C, in the order of the columns of ``present``.

    Returns:
        One tensor or ``None`` per modality, and ``present``, which is ``None`` when all are there.

    Raises:
        DrifaError: For an unknown modality, images that do not fit, no rows, or a row without any modality.
    """
    modalities = tuple(channels)
    for name in inputs:
        if name not in channels:
            raise unknown(name, modalities)
    given = [name for name in modalities if name in inputs]
    if not given:
        raise DrifaError(f"no modality was given; at least one of {', '.join(modalities)} is needed")
    batch = inputs[given[0]].shape[0]
    for name in given:
        x = inputs[name]
        if x.ndim != 4 or x.shape[0] != batch or x.shape[1] != channels[name]:
            raise DrifaError(f"modality {name!r} has shape {tuple(x.shape)}; [{batch}, {channels[name]}, H, W] is needed")
    if not is_recorded() and batch == 0:
        raise DrifaError(
            f"the batch has no rows: modality {given[0]!r} has shape {tuple(inputs[given[0]].shape)}; give one or more"
        )
    if present is None:
        if len(given) == len(modalities):
            return [inputs[name] for name in modalities], None
        present = torch.tensor([name in inputs for name in modalities], device=inputs[given[0]].device)
        present = present.expand(batch, -1)
    elif not isinstance(present, Tensor) or present.dtype != torch.bool or tuple(present.shape) != (batch, len(modalities)):
        raise DrifaError(
            f"present must be bool [{batch}, {len(modalities)}] (columns: {', '.join(modalities)}), not {told(present)}"
        )
    if is_recorded():  # the values of `present` are not known then
        return [inputs.get(name) for name in modalities], present
    features: Features = []
    for i, name in enumerate(modalities):
        some = bool(present[:, i].any())
        if some and name not in inputs:
            raise DrifaError(f"present says that rows have modality {name!r}, and no images of it were given")
        features.append(inputs[name] if some else None)
    if not bool(present.any(dim=1).all()):
        row = int((~present.any(dim=1)).nonzero()[0])
        raise DrifaError(f"row {row} of the batch has no modality at all; leave such rows out")
    return features, None if bool(present.all()) else present


def unknown(name: str, modalities: Sequence[str]) -> DrifaError:
    """What is said of a modality that a network does not have."""
    return DrifaError(f"modality {name!r} is not one of this network{suggest(name, modalities)}")


def check_maps(name: str, maps: Maps, branch: nn.Module) -> None:
    """Refuses maps that are not those of the branch's encoder.

    Args:
        name: The modality.
        maps: Per level ``[B, C, H, W]``.
        branch: The branch of the modality.
    """
    if not isinstance(branch, EncoderBranch):
        raise DrifaError(f"modality {name!r} has no encoder whose maps could be given; give its images")
    needed = [info.channels for info in branch.infos]
    if [x.shape[1] for x in maps] != needed or len({x.shape[0] for x in maps}) != 1:
        raise DrifaError(
            f"modality {name!r} was given as maps of shapes {[tuple(x.shape) for x in maps]}; its encoder gives {len(needed)} "
            f"maps of {', '.join(map(str, needed))} channels"
        )


def to_float(images: Tensor) -> Tensor:
    """Bytes to float32 in [0, 1]; a floating-point tensor passes unchanged."""
    return images if images.is_floating_point() else images.to(torch.float32) / 255


def standardise(images: Tensor, mean: float | Sequence[float] = 0.5, std: float | Sequence[float] = 0.5) -> Tensor:
    """Subtracts a mean and divides by a standard deviation, per channel.

    Args:
        images: Floats in [0, 1].
        mean: One number, or one per channel.
        std: One number, or one per channel.

    Shape:
        [B, C, H, W] -> the same.
    """
    centre, scale = (
        torch.as_tensor(value, dtype=images.dtype, device=images.device).reshape(-1, 1, 1) for value in (mean, std)
    )
    return (images - centre) / scale


def to_input(values: Tensor, mean: float | Sequence[float] = 0.5, std: float | Sequence[float] = 0.5) -> Tensor:
    """What a network reads: bytes are images and are standardised, floats are features and pass unchanged."""
    return values if values.is_floating_point() else standardise(to_float(values), mean, std)
