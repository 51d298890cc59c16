"""Test-time augmentation: the same image mirrored and turned, as further looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor


@dataclass(frozen=True)
class View:
    """A way to look at a square image; the default changes nothing.

    Attributes:
        flip: Left and right are swapped.
        flip_vertical: Top and bottom are swapped.
        turns: Quarter turns, after that.
    """

    flip: bool = False
    flip_vertical: bool = False
    turns: int = 0

    def __call__(self, image: Tensor) -> Tensor:
        """``[..., H, W] -> [..., H, W]``; odd turns need H = W."""
        axes = [axis for axis, swapped in ((-1, self.flip), (-2, self.flip_vertical)) if swapped]
        if axes:
            image = image.flip(axes)
        return torch.rot90(image, self.turns, (-2, -1)) if self.turns else image


def make_views(tta: Sequence[str]) -> tuple[View, ...]:
    """All views that the named changes lead to, each once; the image as it is comes first.

    Args:
        tta: Of ``flip``, ``flip_vertical`` and ``quarter_turns``: 2, 4 or, with turns and a flip, 8 views.
    """
    found: dict[tuple[int, ...], View] = {}
    square = torch.arange(4).view(2, 2)  # its eight mirror images and turns all differ
    turns = range(4) if "quarter_turns" in tta else (0,)
    across, upright = ((False, True) if name in tta else (False,) for name in ("flip", "flip_vertical"))
    for turn, flip, flip_vertical in product(turns, across, upright):
        view = View(flip, flip_vertical, turn)
        found.setdefault(tuple(view(square).flatten().tolist()), view)
    return tuple(found.values())
