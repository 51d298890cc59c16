"""Arithmetic on large arrays a few rows at a time, so that its intermediate numbers never fill memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Values per block: 8 MiB as float64.
BLOCK = 2**20


def to_bytes(values: np.ndarray, function: Callable[[np.ndarray], np.ndarray], tail: tuple[int, ...] = ()) -> np.ndarray:
    """Maps values to pixels 0 to 255 by a function of blocks of rows.

    Args:
        values: Any numbers.
        function: From a block of rows to brightness 0 to 255; what lies outside is clipped, and the nearest whole number taken.
        tail: Axes that the function appends, as `(3,)` for colours.

    Shape:
        [H, ...] -> uint8 [H, ..., *tail].
    """
    result = np.empty((*values.shape, *tail), dtype=np.uint8)
    rows = max(1, BLOCK // max(1, int(np.prod(values.shape[1:]))))
    for start in range(0, len(values), rows):
        block = function(values[start : start + rows])
        result[start : start + rows] = np.floor(np.clip(block, 0, 255) + 0.5)
    return result
