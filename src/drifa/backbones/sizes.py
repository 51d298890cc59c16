"""Which image sizes a branch takes, found by trying, and said in pixels where one does not fit."""

from __future__ import annotations

import torch
from torch import nn

from drifa.backbones.cut import run_blank
from drifa.errors import DrifaError

# Networks without a size of their own take every multiple of their stride from here on, pixels; other sizes are tried once.
_SAFE = 128
_FAILURES = (RuntimeError, AssertionError, ValueError, TypeError)


class ImageSizes:
    """The image sizes of one branch.

    Args:
        backbone: Name, for messages.
        in_channels: Channels of the images.
        stride: Total stride, pixels.
        native: The size that the network is built for, pixels; ``None`` where any will do.
    """

    def __init__(self, backbone: str, in_channels: int, stride: int, native: int | None) -> None:
        self.backbone, self.in_channels, self.stride, self.native = backbone, in_channels, stride, native
        self._known: dict[tuple[int, int], bool] = {}

    def check(self, stages: nn.ModuleList, height: int, width: int, modality: str) -> None:
        """Refuses images that the stages cannot take.

        Raises:
            DrifaError: It names the size that is needed.
        """
        if torch.compiler.is_compiling() or self._fits(stages, height, width):
            return
        raise DrifaError(
            f"modality {modality!r} has images of {height}×{width} pixels, and backbone {self.backbone!r} takes "
            f"{self.describe(stages)}"
        )

    def least(self, stages: nn.ModuleList) -> int:
        """Side of the smallest square image that the stages take, pixels."""
        if self._fits(stages, self.stride, self.stride):
            return self.stride
        low, high = self.stride, self.native or _SAFE
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._fits(stages, middle, middle) else (middle + 1, high)
        return high

    def describe(self, stages: nn.ModuleList) -> str:
        """What the stages take, in words."""
        if self.native and not self._fits(stages, self.native + self.stride, self.native + self.stride):
            return f"{self.native}×{self.native} only (another size: backbone_args={{'img_size': …}}, where timm offers it)"
        least = self.least(stages)
        if self._fits(stages, least + 1, least + 1):
            return f"{least}×{least} at least"
        return f"{least}×{least}, {least + self.stride}×{least + self.stride} …"

    def _fits(self, stages: nn.ModuleList, height: int, width: int) -> bool:
        if min(height, width) < self.stride:
            return False
        whole = height % self.stride == width % self.stride == 0
        if (height, width) == (self.native, self.native) or (self.native is None and whole and min(height, width) >= _SAFE):
            return True
        if (height, width) not in self._known:
            try:
                run_blank(list(stages), self.in_channels, height, width)
                self._known[height, width] = True
            except _FAILURES:
                self._known[height, width] = False
        return self._known[height, width]
