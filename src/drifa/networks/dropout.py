"""Dropout whose masks belong to a row and not to a batch.

Monte-Carlo dropout with an ordinary generator gives other masks when the batch size, the order of the rows or the device
changes. Here the mask of a row is a pure function of the row's key: a stateless integer hash of (key, site, position).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_MASK32 = 0xFFFFFFFF

#: What decides over the masks, see :func:`dropout`.
Keys = Tensor | Callable[[Tensor, int], Tensor]


def dropout(x: Tensor, p: float, training: bool, keys: Keys | None, site: int) -> Tensor:
    """Element-wise inverted dropout.

    Args:
        x: ``[B, ...]``.
        p: Probability that an element is zeroed.
        training: Without keys, dropout is on only in training and uses torch's generator.
        keys: int64 ``[B]``; with keys dropout is always on, and the mask of each row depends on its key alone. Or a function
            that gives the mask: ``x`` and ``site`` -> which elements survive.
        site: Number of the place in the network, so that places differ.

    Returns:
        ``x`` with elements zeroed and the rest divided by ``1 - p``.
    """
    if keys is None or p == 0:
        return F.dropout(x, p, training) if p else x
    mask = keyed_mask(keys, site, x[0].numel(), p).view(x.shape) if isinstance(keys, Tensor) else keys(x, site)
    return torch.where(mask, x / (1 - p), 0)


def keyed_mask(keys: Tensor, site: int, size: int, p: float) -> Tensor:
    """Which elements survive: bool ``[B, size]``, each True with probability ``1 - p``."""
    row = _mix((keys.to(torch.int64) ^ (site * 0x9E3779B1)) & _MASK32)
    position = torch.arange(size, device=keys.device, dtype=torch.int64) * 0x9E3779B1
    bits = _mix((row[:, None] + position[None, :]) & _MASK32)
    return bits >= int(p * 2**32)


def pass_keys(row_seeds: Tensor, draw: int) -> Tensor:
    """Keys of one Monte-Carlo pass. int64 ``[B] -> [B]``; ``draw`` numbers the pass."""
    return _mix((row_seeds.to(torch.int64) + draw * 0x85EBCA77) & _MASK32)


def row_seeds(names: Sequence[str], seed: int) -> Tensor:
    """A seed for each row: int64 ``[N]``, the same for a name wherever and whenever it is asked for.

    Args:
        names: What tells the rows apart, such as the subjects.
        seed: Of the evaluation; another one gives other masks.
    """
    digests = [hashlib.sha256(f"{seed}/{name}".encode()).digest() for name in names]
    return torch.tensor([int.from_bytes(digest[:4], "little") for digest in digests], dtype=torch.int64)


def _mix(x: Tensor) -> Tensor:
    """The 32-bit finaliser of MurmurHash3 (public domain), on int64 holding 32-bit values."""
    x = x ^ (x >> 16)
    x = (x * 0x85EBCA6B) & _MASK32
    x = x ^ (x >> 13)
    x = (x * 0xC2B2AE35) & _MASK32
    return x ^ (x >> 16)
