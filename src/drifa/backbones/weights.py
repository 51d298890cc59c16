"""Pretrained weights into a timm feature network, with a count of what matched."""

from __future__ import annotations

import json
import logging
import pickle
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from timm.models import adapt_input_conv, get_pretrained_cfg
from torch import Tensor, nn

from drifa.errors import DrifaError

#: Where checkpoints of training programs keep the weights of the network.
NESTED = (
    "checkpoint",
    "state_dict",
    "model",
    "model_state_dict",
    "net",
    "network",
    "weights",
    "ema",
    "model_ema",
    "state_dict_ema",
    "teacher",
    "student",
)
#: What files of PyTorch begin with.
TORCH = (b"PK", b"\x80\x02")
#: Beginnings, in small letters, of what is fetched in place of weights -> what it is, and what to do.
NO_WEIGHTS = {
    b"version https://git-lfs": "a pointer of Git LFS and not the weights themselves; fetch them with `git lfs pull`",
    b"<!doctype html": "a web page, such as an error or a login of the site; fetch the weights themselves",
    b"<html": "a web page, such as an error or a login of the site; fetch the weights themselves",
}


def load_pretrained(
    features: nn.Module,
    backbone: str,
    in_channels: int,
    source: bool | str | Path,
    arguments: dict[str, Any] | None = None,
    whole: bool = False,
) -> str:
    """Copies pretrained weights into a feature network.

    Args:
        features: The network from :func:`drifa.backbones.timm_features`.
        backbone: Its timm name.
        in_channels: Channels of its input; a three-channel first convolution is adapted as timm does.
        source: ``True`` for timm's weights of that name (downloaded), or the path of a ``.safetensors`` file or a
            PyTorch state dict of the plain timm model. Files are read without unpickling objects.
        arguments: Further arguments of ``timm.create_model``.
        whole: Refuse weights that leave a tensor of the network as it is.

    Returns:
        One sentence: how many tensors matched, and which of the file were left over.

    Raises:
        DrifaError: If the weights cannot be fetched or read, or do not fit.
    """
    if source is True:
        state, origin = _timm_state(backbone, in_channels, arguments), f"timm's weights of {backbone}"
    else:
        state, origin = read_state(Path(str(source))), str(source)
    own = {key: value for key, value in features.state_dict().items() if not key.endswith("num_batches_tracked")}
    state, prefix = _without_prefix(state, {_flat(key) for key in own}, origin, backbone)
    # timm names a flattened child `features_0` where the plain model says `features.0`.
    found = {_flat(key): (key, value) for key, value in state.items()}
    matched: dict[str, Tensor] = {}
    first_convolution = next((name for name, module in features.named_modules() if isinstance(module, nn.Conv2d)), None)
    for key, value in own.items():
        if _flat(key) not in found:
            continue
        name, candidate = found[_flat(key)]
        if key == f"{first_convolution}.weight" and candidate.ndim == 4 and candidate.shape[1] == 3 != in_channels:
            candidate = adapt_input_conv(in_channels, candidate)
        if candidate.shape != value.shape:
            raise DrifaError(
                f"{origin} does not fit {backbone}: tensor {name!r} has shape {tuple(candidate.shape)}, "
                f"{tuple(value.shape)} is needed; give the weights of the same backbone and arguments"
            )
        if value.is_floating_point() and not torch.isfinite(candidate.to(value.dtype)).all():
            raise DrifaError(
                f"{origin} holds what is no finite number (NaN or inf) in the tensor {name!r}; its training went wrong, or the "
                f"file is damaged: give another one"
            )
        matched[key] = candidate
    if not matched:
        raise DrifaError(
            f"{origin} does not fit {backbone}: none of its {len(state)} tensors has a name of that network (it holds "
            f"{', '.join(list(state)[:3])} …, and {next(iter(own))} is needed); give the weights of a plain timm {backbone}"
        )
    lacking = [key for key in own if key not in matched]
    if whole and lacking:
        raise DrifaError(
            f"{origin} has {len(matched)} of the {len(own)} tensors of {backbone}, and a frozen one keeps the others random "
            f"({', '.join(lacking[:3])}{' …' if len(lacking) > 3 else ''}); give weights that hold all, or leave out freeze"
        )
    features.load_state_dict(matched, strict=False)
    used = {_flat(key) for key in matched}
    left = [name for key, (name, _) in found.items() if key not in used and not name.endswith("num_batches_tracked")]
    stages = {key.split(".")[0] for key in own}
    strange = [name for name in left if name.split(".")[0] in stages]
    if strange:
        logging.getLogger("drifa").warning(
            "%s holds %d tensors in the stages of %s that it has no place for (%s …): is it of another network?",
            *(origin, len(strange), backbone, strange[0]),
        )
    tail = f"; not used: {', '.join(left[:4])}{' …' if len(left) > 4 else ''}" if left else ""
    told = f", without the prefix {prefix!r} of their names" if prefix else ""
    if prefix:
        logging.getLogger("drifa").warning("%s: the prefix %r of the tensors' names was taken away", origin, prefix)
    if lacking:
        logging.getLogger("drifa").warning(
            "%s has %d of the %d tensors of %s; the others keep their random values", origin, len(matched), len(own), backbone
        )
    return f"{origin}: matched {len(matched)} of {len(own)} backbone tensors{told}{tail}"


def _flat(key: str) -> str:
    return key.replace(".", "_")


def _without_prefix(state: dict[str, Tensor], own: set[str], origin: str, backbone: str) -> tuple[dict[str, Tensor], str]:
    """The tensors of a network that stands inside another, such as ``module.`` or ``model.backbone.``, under their own names.

    Args:
        state: All tensors of the file.
        own: Flat names that the network wants.
        origin: How errors call the file.
        backbone: Name, for errors.

    Returns:
        The tensors below the prefix (all of them where it is empty), and the prefix.

    Raises:
        DrifaError: Below two prefixes stands as much of the network, or below none more than a few of its tensors.
    """
    counts: Counter[str] = Counter()
    for key in state:
        parts = key.split(".")
        starts = [".".join(parts[:k]) + "." if k else "" for k in range(len(parts))]
        counts.update(start for start in starts if _flat(key[len(start) :]) in own)
    most = max(counts.values(), default=0)
    best = sorted(prefix for prefix, count in counts.items() if count == most)
    if len(best) > 1 and 2 * most < len(own):
        raise DrifaError(
            f"{origin} does not fit {backbone}: it has {most} of {len(own)} tensors at most, whatever prefix is taken away; "
            f"give the weights of a plain timm {backbone}"
        )
    if len(best) > 1:
        raise DrifaError(
            f"{origin} holds {backbone} {len(best)} times, below {' and '.join(map(repr, best))}; save the tensors of the one "
            f"that is meant, under their own names, in a file"
        )
    prefix = best[0] if best else ""
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}, prefix


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
    if not _is_safetensors(path):
        return {}
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}


def read_state(path: Path) -> dict[str, Tensor]:
    """Reads a state dict from safetensors or a PyTorch file, never unpickling objects.

    Numbers and texts beside the tensors, as the epoch, are left out with a warning.

    Raises:
        DrifaError: If the file is missing, is not a state dict or holds anything but tensors.
    """
    if path.is_dir():
        raise DrifaError(f"weights file {path} is a folder; name the file in it that holds the tensors")
    if not path.is_file():
        raise DrifaError(f"weights file {path} does not exist")
    try:
        if _is_safetensors(path):
            return load_file(path)
        with open(path, "rb") as file:  # by a path, torch goes by its ending
            state: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    inside, where = state, ""
    while (found := _inner(inside, path)) is not None:
        key, inside = found
        where += f"[{key!r}]"
    if where:
        logging.getLogger("drifa").warning("%s: the weights were read from its %s", path, where)
    if not _is_state(inside):
        held = ", ".join(map(str, list(inside)[:5])) if isinstance(inside, dict) else f"a {type(inside).__name__}"
        raise DrifaError(
            f"weights file {path} holds no state dict (a mapping from names to tensors) but {held or 'nothing'}; save that of "
            f"the network alone, as torch.save(net.state_dict(), PATH)"
        )
    beside = [str(key) for key, value in inside.items() if not isinstance(value, Tensor)]
    if beside:
        listed = f"{', '.join(beside[:4])}{' …' if len(beside) > 4 else ''}"
        logging.getLogger("drifa").warning("%s: what stands beside the tensors was left out: %s", path, listed)
    return {key: value for key, value in inside.items() if isinstance(value, Tensor)}


def _is_safetensors(path: Path) -> bool:
    """By what the file begins with, the length of a JSON header; by its name where it is too short for one."""
    with open(path, "rb") as file:
        head = file.read(9)
    return head[8:] == b"{" or (path.suffix == ".safetensors" and head[:2] not in TORCH)


def _is_state(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    others = [one for one in value.values() if not isinstance(one, Tensor)]
    return len(others) < len(value) and all(one is None or isinstance(one, bool | int | float | str) for one in others)


def _unreadable(path: Path, error: Exception) -> DrifaError:
    """What a file is that holds no plain tensors, in words of our own: those of PyTorch advise to run what a stranger wrote."""
    remedy = "save the tensors alone where it was made, as torch.save(net.state_dict(), PATH)"
    with open(path, "rb") as file:
        head = file.read(100).lstrip()
    for begin, what in NO_WEIGHTS.items():
        if head.lower().startswith(begin):
            return DrifaError(f"weights file {path} is {what}")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            script = any(name.endswith("/constants.pkl") for name in archive.namelist())
        if script:
            return DrifaError(f"weights file {path} is a TorchScript program, which is not run here; {remedy}")
    if isinstance(error, pickle.UnpicklingError):
        if head[:2] in TORCH:
            return DrifaError(
                f"weights file {path} holds objects of Python, such as a whole network or arrays of numpy, which are never "
                f"unpickled; {remedy}"
            )
        return DrifaError(
            f"weights file {path} cannot be read: it is no file of PyTorch, or damaged; fetch it again, or {remedy}"
        )
    reason = " ".join(str(error).split()) or type(error).__name__
    return DrifaError(f"weights file {path} cannot be read as plain tensors ({reason[:200]}); fetch it again, or {remedy}")


def _inner(value: Any, path: Path) -> tuple[str, Any] | None:
    """The entry of a checkpoint that holds the weights; None where the weights are reached, or nothing is known."""
    if not isinstance(value, dict) or _is_state(value):
        return None
    found = [key for key in NESTED if isinstance(value.get(key), dict) and value[key]]
    found = found or [key for key, one in value.items() if isinstance(key, str) and _is_state(one)]
    if len(found) > 1:
        raise DrifaError(
            f"weights file {path} holds weights as {' and as '.join(map(repr, found))}; save the ones that are meant in a file "
            f"of their own"
        )
    return (found[0], value[found[0]]) if found else None


def _timm_state(backbone: str, in_channels: int, arguments: dict[str, Any] | None) -> dict[str, Tensor]:
    try:
        with _quiet("timm", "huggingface_hub", "urllib3", "httpx"):
            model = timm.create_model(backbone, pretrained=True, in_chans=in_channels, **(arguments or {}))
    except Exception as error:  # timm, huggingface_hub and requests raise many kinds when a hub cannot be reached
        lines = str(error).splitlines() or [""]
        raise DrifaError(
            f"timm's weights of {backbone!r} could not be loaded ({type(error).__name__}: {lines[0]}); without a connection, "
            f"save them where there is one, as torch.save(timm.create_model({backbone!r}, pretrained=True).state_dict(), "
            f"'{backbone}.pth'), bring the file, and give its path: model.pretrained={backbone}.pth"
        ) from error
    return model.state_dict()


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Silences loggers that would tell of every try before the one error that says what to do."""
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)
