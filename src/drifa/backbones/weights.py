"""Pretrained weights into a timm feature network, with a count of what matched."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from timm.models import adapt_input_conv, get_pretrained_cfg
from torch import Tensor, nn

from drifa.errors import DrifaError


def load_pretrained(
    features: nn.Module,
    backbone: str,
    in_channels: int,
    source: bool | str | Path,
    arguments: dict[str, Any] | None = None,
) -> str:
    """Copies pretrained weights into a feature network.

    Args:
        features: The network from :func:`drifa.backbones.timm_features`.
        backbone: Its timm name.
        in_channels: Channels of its input; a three-channel first convolution is adapted as timm does.
        source: ``True`` for timm's weights of that name (downloaded), or the path of a ``.safetensors`` file or a
            PyTorch state dict of the plain timm model. Files are read without unpickling objects.
        arguments: Further arguments of ``timm.create_model``.

    Returns:
        One sentence: how many tensors matched, and which of the file were left over.

    Raises:
        DrifaError: If the weights cannot be fetched or read, or do not fit.
    """
    if source is True:
        state, origin = _timm_state(backbone, in_channels, arguments), f"timm's weights of {backbone}"
    else:
        state, origin = read_state(Path(str(source))), str(source)
    # timm names a flattened child `features_0` where the plain model says `features.0`.
    found = {key.replace(".", "_"): (key, value) for key, value in state.items()}
    own = {key: value for key, value in features.state_dict().items() if not key.endswith("num_batches_tracked")}
    matched: dict[str, Tensor] = {}
    first_convolution = next(name for name, module in features.named_modules() if isinstance(module, nn.Conv2d))
    for key, value in own.items():
        if key.replace(".", "_") not in found:
            continue
        name, candidate = found[key.replace(".", "_")]
        if key == f"{first_convolution}.weight" and candidate.ndim == 4 and candidate.shape[1] == 3 != in_channels:
            candidate = adapt_input_conv(in_channels, candidate)
        if candidate.shape != value.shape:
            raise DrifaError(
                f"{origin} does not fit {backbone}: tensor {name!r} has shape {tuple(candidate.shape)}, "
                f"{tuple(value.shape)} is needed; give the weights of the same backbone and arguments"
            )
        matched[key] = candidate
    if not matched:
        raise DrifaError(f"{origin} does not fit {backbone}: none of its {len(state)} tensors has a name of that network")
    features.load_state_dict(matched, strict=False)
    used = {key.replace(".", "_") for key in matched}
    left = [name for key, (name, _) in found.items() if key not in used and not name.endswith("num_batches_tracked")]
    tail = f"; not used: {', '.join(left[:4])}{' …' if len(left) > 4 else ''}" if left else ""
    return f"{origin}: matched {len(matched)} of {len(own)} backbone tensors{tail}"


def input_normalisation(
    backbone: str, in_channels: int, source: bool | str | Path
) -> tuple[tuple[list[float], list[float]], str]:
    """What the images were standardised by when pretrained weights were learned.

    Args:
        backbone: timm name.
        in_channels: Channels of the images; other than three, all get the mean over the three.
        source: As in :func:`load_pretrained`. A ``.safetensors`` file may say ``mean`` and ``std`` in its metadata, as JSON
            lists; else timm's figures for a network of this name are taken.

    Returns:
        ``((mean, std), words)``, per channel, of images in [0, 1]; the words say where they come from.
    """
    told = {} if source is True else _metadata(Path(str(source)))
    cfg = get_pretrained_cfg(backbone)
    if "mean" in told and "std" in told:
        mean, std, origin = json.loads(told["mean"]), json.loads(told["std"]), "as the file says"
    elif cfg is not None and cfg.mean and cfg.std:
        mean, std, origin = list(cfg.mean), list(cfg.std), f"as timm says of {backbone}"
    else:
        mean, std, origin = [0.5] * 3, [0.5] * 3, "not known, so 0.5 is assumed"
    if in_channels != len(mean):
        mean, std = [sum(mean) / len(mean)] * in_channels, [sum(std) / len(std)] * in_channels
    shown = ", ".join(f"{value:.3g}" for value in mean), ", ".join(f"{value:.3g}" for value in std)
    return (mean, std), f"images standardised by mean {shown[0]} and deviation {shown[1]}, {origin}"


def _metadata(path: Path) -> dict[str, str]:
    if path.suffix != ".safetensors":
        return {}
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}


def read_state(path: Path) -> dict[str, Tensor]:
    """Reads a state dict from safetensors or a PyTorch file, never unpickling objects.

    Raises:
        DrifaError: If the file is missing, is not a state dict or holds anything but tensors.
    """
    if not path.is_file():
        raise DrifaError(f"weights file {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise DrifaError(f"weights file {path} cannot be read as plain tensors: {str(error).splitlines()[0]}") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DrifaError(f"weights file {path} holds no state dict (a mapping from names to tensors)")
    return state


def _timm_state(backbone: str, in_channels: int, arguments: dict[str, Any] | None) -> dict[str, Tensor]:
    try:
        model = timm.create_model(backbone, pretrained=True, in_chans=in_channels, **(arguments or {}))
    except Exception as error:  # timm, huggingface_hub and requests raise many kinds when a hub cannot be reached
        raise DrifaError(
            f"timm's weights of {backbone!r} could not be loaded ({type(error).__name__}: {str(error).splitlines()[0]}); "
            "without a connection, give the path of a weights file: pretrained=PATH"
        ) from error
    return model.state_dict()
