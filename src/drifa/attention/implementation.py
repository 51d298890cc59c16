"""Which implementation of an attention module runs: whole maps, as the equations read, or tiles of pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from drifa.attention.tiles import weight_and_bias
from drifa.errors import DrifaError, suggest

IMPLEMENTATIONS = ("auto", "reference", "tiled")

#: ``"auto"`` takes the tiles for maps of more pixels: on smaller ones they save memory and cost time. What decides must not
#: depend on the batch, so that neither does an answer.
AUTO_PIXELS = 256
#: For maps of more numbers the memory is worth the time, a fifth, down to a quarter of those pixels.
AUTO_NUMBERS = 16384
#: Numbers in the widest map of a tile, for each thread: with its companions it stays in the caches near a core.
TILE_NUMBERS = 262144

_asked: ContextVar[tuple[str | None, int | None]] = ContextVar("asked", default=(None, None))


@contextmanager
def implementation(name: str | None = None, *, tile: int | None = None) -> Iterator[None]:
    """Names the implementation of every MFA and MIFA that runs inside, whatever the modules themselves say.

    Args:
        name: One of :data:`IMPLEMENTATIONS`, see :class:`drifa.MFA`; ``None`` leaves it to the
            modules, of which MIFA says ``"auto"``.
        tile: Pixels of a tile, at least 1; ``None`` takes what the cache holds.

    Examples:
        >>> import torch
        >>> from drifa import MFA
        >>> mfa, x = MFA(8), torch.rand(2, 8, 5, 5)
        >>> with implementation("reference"):
        ...     expected = mfa(x)
        >>> with implementation("tiled", tile=7):
        ...     torch.testing.assert_close(mfa(x), expected)
    """
    if name is not None:
        check_implementation(name)
    if tile is not None and (not isinstance(tile, int) or tile < 1):
        raise DrifaError(f"tile={tile!r} holds no pixel; take a whole number from 1, or None for what the cache holds")
    token = _asked.set((name, tile))
    try:
        yield
    finally:
        _asked.reset(token)


def check_implementation(name: str) -> None:
    """Refuses an unknown name."""
    if name not in IMPLEMENTATIONS:
        raise DrifaError(f"implementation={name!r} is not known{suggest(name, IMPLEMENTATIONS)}")


def way_of(wanted: str, x: Tensor, convs: Sequence[nn.Module]) -> str:
    """What computes this input: by name and size, and the reference wherever somebody would miss its operations.

    Args:
        wanted: What the module says, one of :data:`IMPLEMENTATIONS`.
        x: The input.
        convs: The convolutions on the way to the pooled vectors; the first reads the input.

    Returns:
        ``"reference"``, ``"tiled"``, or ``"rows"``: matrix products over the pixels of a small map.
    """
    name = _asked.get()[0] or wanted
    if name == "reference" or x.ndim != 4 or _watched(x) or x.numel() == 0 or not all(_plain(conv, x) for conv in convs):
        return "reference"
    if cast(nn.Conv2d, convs[0]).in_channels != x.shape[1]:
        return "reference"  # which refuses it
    return "rows" if name == "auto" and not _large(*x.shape[1:]) else "tiled"


def pointwise(conv: nn.Module, x: Tensor) -> Tensor:
    """What a 1x1 convolution makes of a map; of a small one by a matrix product over its pixels, which is called sooner.

    Args:
        conv: ``[B, C, H, W] -> [B, C', H, W]``.
        x: The map.
    """
    if _watched(x) or not x.numel() or _large(*x.shape[1:]) or _asked.get()[0] == "reference" or not _plain(conv, x):
        return cast(Tensor, conv(x))
    weight, bias = weight_and_bias(conv)
    if weight.shape[1] != x.shape[1]:
        return cast(Tensor, conv(x))  # which refuses it
    if x.shape[2:] == (1, 1):
        return F.linear(x.flatten(1), weight.flatten(1), bias)[:, :, None, None]
    return F.linear(x.flatten(2).transpose(1, 2), weight.flatten(1), bias).transpose(1, 2).unflatten(2, x.shape[2:])


def _large(channels: int, height: int, width: int) -> bool:
    pixels = height * width
    return pixels > AUTO_PIXELS or (4 * pixels >= AUTO_PIXELS and channels * pixels > AUTO_NUMBERS)


def _watched(x: Tensor) -> bool:
    """Whether somebody reads or rewrites the single operations, who is to find the text of the paper."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.jit.is_scripting() or is_in_torch_dispatch_mode():
        return True
    if type(x) is not Tensor and type(x) is not nn.Parameter:
        return True
    if x.device.type != "cpu" or x.is_sparse or torch.is_autocast_enabled("cpu"):
        return True
    return torch._C._are_functorch_transforms_active() or forward_ad.unpack_dual(x).tangent is not None


def _plain(conv: nn.Module, x: Tensor) -> bool:
    """A convolution that is nothing but its weight and bias, in the precision of the input."""
    if type(conv) is not nn.Conv2d or conv.bias is None or conv._forward_hooks or conv._forward_pre_hooks:
        return False
    return x.dtype in (torch.float32, torch.float64) and conv.weight.dtype == x.dtype and conv.weight.device == x.device


def tile_pixels(rows: int) -> int:
    """Pixels of a tile whose widest map has so many rows."""
    return _asked.get()[1] or max(1, TILE_NUMBERS * torch.get_num_threads() // rows)
