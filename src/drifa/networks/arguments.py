"""What the calls of the package are given: of the right type and shape, or refused in one sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drifa.errors import DrifaError, short


def told(value: object) -> str:
    """A value in a few words: never the pixels of a tensor."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
        return f"a {type(value).__name__} {list(shape)} of {dtype}"
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"


def path_of(place: str, value: Any) -> Path:
    """A path that a call was given.

    Args:
        place: The call.
        value: What was given.

    Raises:
        DrifaError: It is no path.
    """
    if not isinstance(value, str | os.PathLike):
        raise DrifaError(f"{place} needs the path of a folder, and got {told(value)}")
    return Path(value)


def device_of(value: Any) -> torch.device:
    """A device that a call was given, such as ``"cpu"`` or ``"cuda:1"``.

    Raises:
        DrifaError: It is no device, or this machine has none of the kind.
    """
    try:
        device = torch.device(value)
        torch.empty(0, device=device)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        raise DrifaError(f"device={value!r} cannot be used here ({short(error)}); `drifa doctor` lists the devices") from error
    return device


def mapping_of(place: str, value: Any, example: str) -> dict[str, Any]:
    """A mapping as a dict, empty for ``None``.

    Args:
        place: The argument.
        value: What was given.
        example: How it is written.

    Raises:
        DrifaError: It is no mapping.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DrifaError(f"{place} is a mapping, such as {place}={example}, not {told(value)}")
    return dict(value)


def check_keys(keys: Any, shape: tuple[int, ...], letters: str) -> None:
    """Refuses dropout keys that do not fit the rows.

    Args:
        keys: int64.
        shape: Their shape, -1 for any size.
        letters: The shape in words.
    """
    fits = isinstance(keys, Tensor) and keys.ndim == len(shape) and not keys.is_floating_point()
    if not fits or any(wanted not in (-1, size) for wanted, size in zip(shape, keys.shape, strict=True)):
        raise DrifaError(f"dropout_keys must be int64 {letters}, with B={shape[-1]} rows, not {told(keys)}")


def check_subsets(subsets: Any, modalities: tuple[str, ...]) -> None:
    """Refuses what is no mask of subsets ``[S, m]``."""
    fits = isinstance(subsets, Tensor) and subsets.dtype == torch.bool and subsets.ndim == 2
    if not fits or subsets.shape[1] != len(modalities):
        raise DrifaError(f"subsets must be bool [S, {len(modalities)}] (columns: {', '.join(modalities)}), not {told(subsets)}")
