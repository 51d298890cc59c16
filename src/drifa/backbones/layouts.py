"""Transformers keep their maps in other layouts. At the borders between stages all is [B, C, H, W]; inside, as they like."""

from __future__ import annotations

from torch import Tensor, nn

LAYOUTS = ("NCHW", "NHWC", "NLC")


class FromNCHW(nn.Module):
    """``[B, C, H, W]`` into the layout of the stage that follows: ``NHWC`` or ``NLC`` (tokens, row by row)."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1) if self.layout == "NHWC" else x.flatten(2).transpose(1, 2)


class ToNCHW(nn.Module):
    """The layout of the stage before into ``[B, C, H, W]``; tokens are taken for a square."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, x: Tensor) -> Tensor:
        if self.layout == "NHWC":
            return x.permute(0, 3, 1, 2)
        side = int(x.shape[1] ** 0.5)
        return x.transpose(1, 2).unflatten(2, (side, side))


def layout_of(x: Tensor, declared: str) -> str:
    """The layout of what a stage gave: tokens have three dimensions, of maps the network says it."""
    return "NLC" if x.ndim == 3 else declared


def bordered(stages: list[nn.Sequential], layouts: list[str]) -> list[nn.Sequential]:
    """Stages that read and give ``[B, C, H, W]``.

    Args:
        stages: Stages that hand maps to each other in their own layouts; the first one reads images.
        layouts: What each of them gives.
    """
    output = []
    for k, (stage, given) in enumerate(zip(stages, layouts, strict=True)):
        read = "NCHW" if k == 0 else layouts[k - 1]
        before = [] if read == "NCHW" else [FromNCHW(read)]
        after = [] if given == "NCHW" else [ToNCHW(given)]
        output.append(nn.Sequential(*before, *stage, *after).train(stage.training))
    return output
