"""What an explanation looks like: overlays beside the original as PNG, everything else as SVG that stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from PIL import Image

from drifa.explain.gates import Gate
from drifa.files import atomic_path
from drifa.report.relevance import COLOURS, OPACITY
from drifa.report.svg import Plot, nice_ticks

#: Room for a letter of a name, pixels.
LETTER = 8
#: Okabe and Ito: told apart with any colour vision.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")

_STYLE = (
    "<style>text{font:12px sans-serif;fill:#333}.axis{stroke:#333;fill:none}.grid{stroke:#ddd;fill:none}"
    ".mark{stroke:#333;fill:none}</style>"
)


def coloured(values: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1] as colours: ``[H, W] -> [H, W, 3]``, 0 to 255."""
    steps = np.linspace(0, 1, len(COLOURS))
    return np.stack([np.interp(values, steps, COLOURS[:, k]) for k in range(3)], axis=-1)


def overlay(pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """An image and, beside it, the same under its map of relevance.

    Args:
        pixels: uint8 ``[H, W, C]``, C of 1 or 3.
        values: In [0, 1], of any size. ``[h, w]``

    Returns:
        uint8 ``[H, 2 W, 3]``.
    """
    height, width = pixels.shape[:2]
    picture = np.broadcast_to(pixels, (height, width, 3)).astype(np.float64)
    stretched = Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    strength = np.clip(np.asarray(stretched, dtype=np.float64), 0, 1)
    share = OPACITY * strength[..., None]
    return np.concatenate([picture, (1 - share) * picture + share * coloured(strength)], axis=1).round().astype(np.uint8)


def write_png(path: Path, pixels: np.ndarray) -> None:
    """uint8 ``[H, W, 3]``, all or nothing."""
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def bars(title: str, values: Mapping[str, tuple[float, float | None, float | None]], unit: str) -> str:
    """One bar from zero per name, with its interval as a whisker.

    Args:
        title: What a reader who cannot see the figure is told first.
        values: Name -> value, low, high.
        unit: Along the axis.
    """
    ends = [0.0, *(number for row in values.values() for number in row if number is not None)]
    low, high = min(ends), max(ends)
    pad = 0.05 * (high - low) or 0.05
    limits, count = (low - pad, high + pad), len(values)
    told = "; ".join(f"{name}: {value:.3g}" for name, (value, *_) in values.items())
    room = max(170, 16 + LETTER * max(map(len, values), default=0))  # names of gates are long
    plot = Plot(f"{title}. {told}", limits, (0, count), size=(350 + room, 60 + 24 * count), margins=(room, 8, 12, 40))
    for place, (name, (value, lower, upper)) in enumerate(values.items()):
        y = count - place - 0.5
        left, right = sorted((plot.at(0, y)[0], plot.at(value, y)[0]))
        middle = plot.at(0, y)[1]
        markup = '<rect x="{x}" y="{y}" width="{w}" height="14" fill="{c}"/>'
        plot.add(markup, x=left, y=middle - 7, w=max(right - left, 0.5), c=PALETTE[0])
        if lower is not None and upper is not None:
            ends_at = [plot.at(end, y)[0] for end in (lower, upper)]
            plot.add('<path d="M{a} {y}H{b}" class="mark"/>', a=ends_at[0], b=ends_at[1], y=middle)
        plot.text(room - 8, middle + 4, name, anchor="end")
    plot.x_axis(nice_ticks(*limits, 5), unit, lambda tick: f"{tick:.3g}")
    return _alone(plot.render())


def cloud(title: str, points: np.ndarray, labels: Sequence[str]) -> str:
    """A dot per case, coloured by its label; without axes, for the directions have no names. ``[N, 2]``"""
    names = list(dict.fromkeys(sorted(labels)))
    low, high = points.min(axis=0), points.max(axis=0)
    pad = np.maximum(0.05 * (high - low), 1e-6)
    low, high = low - pad, high + pad
    size = (520, 400)
    plot = Plot(f"{title}. {len(points)} cases", (low[0], high[0]), (low[1], high[1]), size=size, margins=(8, 8, 150, 8))
    for (across, up), label in zip(points, labels, strict=True):
        x, y = plot.at(float(across), float(up))
        plot.add('<circle cx="{x}" cy="{y}" r="3" fill="{c}" fill-opacity="0.8"/>', x=x, y=y, c=_colour(names, label))
    for place, name in enumerate(names):
        plot.add('<circle cx="384" cy="{y}" r="4" fill="{c}"/>', y=20 + 18 * place, c=_colour(names, name))
        plot.text(394, 24 + 18 * place, name, anchor="start")
    return _alone(plot.render())


def gate_bars(found: Sequence[Gate]) -> str:
    """How much every gate moves from sample to sample."""
    return bars(
        "How much the gates move",
        {f"{gate.kind} {gate.modality} {gate.block}": (gate.spread, None, None) for gate in found},
        "standard deviation over the samples",
    )


def _colour(names: Sequence[str], name: str) -> str:
    return PALETTE[names.index(name) % len(PALETTE)]


def _alone(figure: Markup) -> str:
    head, rest = str(figure).split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg">{_STYLE}{rest}\n'
