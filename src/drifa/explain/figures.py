"""What an explanation looks like: overlays beside the original as PNG, everything else as SVG that stands alone."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from markupsafe import Markup
from PIL import Image
from scipy.ndimage import binary_erosion

from drifa.explain.flat import Flat
from drifa.networks.gates import Gate
from drifa.report.data_link import csv_text
from drifa.report.explanation_figures import gate_rows, share_bars
from drifa.report.relevance import COLOURS, OPACITY
from drifa.report.svg import Plot

#: Okabe and Ito: told apart with any colour vision.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")

#: The sky blue and the orange among them: outlines on grey.
PREDICTED, TRUE = (86, 180, 233), (230, 159, 0)

_STYLE = (
    "<style>text{font:12px sans-serif;fill:#333}.axis{stroke:#333;fill:none}.grid{stroke:#ddd;fill:none}"
    ".mark{stroke:#333;fill:none}.dot{fill:#0072b2}.span{stroke:#0072b2;stroke-width:8;opacity:.4}</style>"
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


def outlined(pixels: np.ndarray, predicted: np.ndarray, true: np.ndarray | None = None) -> np.ndarray:
    """An image with the outlines of its regions: predicted ones blue, true ones orange, white where both run.

    Args:
        pixels: uint8 ``[H, W, 1]``.
        predicted: bool ``[H, W, R]``.
        true: Likewise; None where nobody knows.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    picture = np.repeat(pixels, 3, axis=2)
    ours = _edges(predicted)
    theirs = np.zeros_like(ours) if true is None else _edges(true)
    picture[theirs], picture[ours], picture[ours & theirs] = TRUE, PREDICTED, 255
    return picture


def _edges(regions: np.ndarray) -> np.ndarray:
    """The pixels of each region that touch what is outside it, of all together: ``[H, W, R] -> [H, W]``."""
    inside = binary_erosion(regions, np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)[..., None])
    return np.asarray((regions & ~inside).any(axis=-1))


def png(pixels: np.ndarray) -> bytes:
    """A picture as a file: uint8 ``[H, W, 3]``."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def bars(title: str, values: Mapping[str, tuple[float, float | None, float | None]], unit: str) -> str:
    """:func:`drifa.report.explanation_figures.share_bars` as a file of its own."""
    return _alone(share_bars(title, values, unit))


def cloud(title: str, points: np.ndarray, labels: Sequence[str], note: str = "", what: str = "cases") -> str:
    """A dot per point, coloured by its label; without axes, for the directions have no names.

    Args:
        title: What a reader who cannot see the figure is told first.
        points: ``[N, 2]``
        labels: N of them.
        note: How the figure came about, below the names.
        what: The points are.
    """
    names = list(dict.fromkeys(sorted(labels)))
    low, high = points.min(axis=0), points.max(axis=0)
    pad = np.maximum(0.05 * (high - low), 1e-6)
    low, high = low - pad, high + pad
    told = ", ".join(f"{name}: {list(labels).count(name)}" for name in names)
    told = f"{title}. {len(points)} {what}; {told}{f'; {note}' if note else ''}"
    plot = Plot(told, (low[0], high[0]), (low[1], high[1]), size=(520, 400), margins=(8, 8, 150, 8))
    for (across, up), label in zip(points, labels, strict=True):
        x, y = plot.at(float(across), float(up))
        plot.add('<circle cx="{x}" cy="{y}" r="3" fill="{c}" fill-opacity="0.8"/>', x=x, y=y, c=_colour(names, label))
    for place, name in enumerate(names):
        plot.add('<circle cx="384" cy="{y}" r="4" fill="{c}"/>', y=20 + 18 * place, c=_colour(names, name))
        plot.text(394, 24 + 18 * place, name, anchor="start")
    if note:
        plot.text(512, 392, note, anchor="end")
    return _alone(plot.render())


def space_files(
    task: str, flat: Flat, subjects: Sequence[str], labels: Sequence[str], answers: Sequence[str]
) -> dict[str, str]:
    """The drawings of a task's space and the table behind them.

    Args:
        task: Its name.
        flat: N points.
        subjects: N of them.
        labels: True class of each.
        answers: ``right`` or ``wrong`` of each, or that there was none.

    Returns:
        File -> content: the PCA and the form by class, the form once more by answers, and the places as CSV.
    """
    found = {
        f"{form}-{task}.svg": cloud(f"Readouts by {task}, {form}", points, labels, flat.note if form == flat.form else "")
        for form, points in flat.places.items()
    }
    title = f"Readouts by right and wrong answers to {task}, {flat.form}"
    found[f"right-{task}.svg"] = cloud(title, flat.places[flat.form], answers, flat.note)
    rows = [
        {"subject": subject, "class": label, "answer": answer, **_place(flat, row)}
        for row, (subject, label, answer) in enumerate(zip(subjects, labels, answers, strict=True))
    ]
    return {**found, f"space-{task}.csv": csv_text(rows)}


def modality_files(flat: Flat, subjects: Sequence[str], seen: Sequence[str]) -> dict[str, str]:
    """The drawings of the space by what the network sees, and the table behind them.

    Args:
        flat: N points.
        subjects: Whose point each is.
        seen: What the network saw of them.

    Returns:
        File -> content: the PCA and the form, and the places as CSV.
    """
    title, what = "Readouts by what the network sees of a case", "points"
    found = {
        f"modalities-{form}.svg": cloud(f"{title}, {form}", points, seen, flat.note if form == flat.form else "", what)
        for form, points in flat.places.items()
    }
    rows = [
        {"subject": subject, "seen": label, **_place(flat, row)}
        for row, (subject, label) in enumerate(zip(subjects, seen, strict=True))
    ]
    return {**found, "modalities.csv": csv_text(rows)}


def gate_bars(found: Sequence[Gate]) -> str:
    """Mean and spread of every gate: :func:`drifa.report.explanation_figures.gate_rows` as a file of its own."""
    return _alone(gate_rows([asdict(gate) for gate in found]))


def _place(flat: Flat, row: int) -> dict[str, float]:
    """Where a point is in each drawing, as columns of a table."""
    return {f"{form}_{axis + 1}": float(points[row, axis]) for form, points in flat.places.items() for axis in (0, 1)}


def _colour(names: Sequence[str], name: str) -> str:
    return PALETTE[names.index(name) % len(PALETTE)]


def _alone(figure: Markup) -> str:
    head, rest = str(figure).split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg">{_STYLE}{rest}\n'
