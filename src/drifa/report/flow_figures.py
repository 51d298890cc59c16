"""A drawing of boxes: where the images of a run went."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from drifa.report.svg import Plot
from drifa.report.words import whole

#: Narrow, so that the words stay near their full size on a phone.
WIDTH = 360
#: Height of a line of words, pixels.
LINE = 17
#: Most letters in a line across the drawing.
LETTERS = 46


class Part(NamedTuple):
    """A part of the study.

    Attributes:
        name: ``training``, for instance.
        subjects: How many; None if it is not known.
        groups: Likewise.
        images: Modality -> images; empty if they are not known.
    """

    name: str
    subjects: int | None
    groups: int | None
    images: Mapping[str, int]


def data_flow(study: Part, parts: Sequence[Part], shared: int | None) -> Markup:
    """The study above, what became of it below, a box each, and whether a group is on two sides.

    Args:
        study: All of it.
        parts: The splits, and what is in none.
        shared: Groups in more than one split; None if nobody counted.
    """
    boxes = [study, *parts]
    lines = [_lines(part) for part in boxes]
    heights = [LINE * (1 + len(own)) + 10 for own in lines]
    height = sum(heights) + 10 * len(parts) + 34
    told = "; ".join(", ".join((part.name, *own)) for part, own in zip(boxes, lines, strict=True))
    words = "Groups on two sides were not counted" if shared is None else f"{whole(shared)} groups on two sides"
    plot = Plot(f"Flow of the data: {told}; {words}", (0, 1), (0, 1), size=(WIDTH, height))
    top = 1.0
    for number, (part, own, own_height) in enumerate(zip(boxes, lines, heights, strict=True)):
        left = 1 if number == 0 else 30
        if number:
            plot.add('<path d="M14 {t}V{y}H{l}" class="axis"/>', t=heights[0] + 1.0, y=top + own_height / 2, l=left)
        _box(plot, left, top, WIDTH - 1 - left, own_height)
        plot.text(left + 9, top + LINE, part.name, anchor="start", style="strong")
        for row, text in enumerate(own, start=2):
            plot.text(left + 9, top + LINE * row, text, anchor="start", style="tick")
        top += own_height + 10
    plot.text(30, top + 12, words, anchor="start", style="warned" if shared else "tick")
    return plot.render()


def flow_rows(study: Part, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The numbers of :func:`data_flow`, one row per box; a count that is not known is empty."""
    modalities = list(dict.fromkeys(name for part in (study, *parts) for name in part.images))
    return [
        {
            "part": part.name,
            "subjects": "" if part.subjects is None else part.subjects,
            "groups": "" if part.groups is None else part.groups,
            **{f"images of {name}": part.images.get(name, "") for name in modalities},
        }
        for part in (study, *parts)
    ]


def _lines(part: Part) -> list[str]:
    """What a box says below its name: people, then images by modality."""
    counts = {"subjects": part.subjects, "groups": part.groups}
    people = [f"{whole(count)} {noun}" for noun, count in counts.items() if count is not None]
    images = " · ".join(f"{name}\u00a0{whole(count)}" for name, count in part.images.items())
    wrapped = textwrap.wrap(f"images: {images}", LETTERS, break_on_hyphens=False) if images else []
    return [*([" · ".join(people)] if people else []), *wrapped]


def _box(plot: Plot, x: float, y: float, width: float, height: float) -> None:
    plot.add('<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="4" class="box"/>', x=x, y=y, w=width, h=height)
