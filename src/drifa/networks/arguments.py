"""What the calls of the package are given: of the right type and shape, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from drifa.errors import DrifaError


def told(value: object) -> str:
    """A value in a few words: never the pixels of a tensor."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
        return f"a {type(value).__name__} {list(shape)} of {dtype}"
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"


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
