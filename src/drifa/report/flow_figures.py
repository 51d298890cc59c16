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


class Step(NamedTuple):
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


def data_flow(study: Step, parts: Sequence[Step], shared: int | None) -> Markup:
    """The study above, what became of it below, a box each, and whether a group is on two sides.

    Args:
        study: All of it.
        parts: The splits, and what is in none.
        shared: Groups in more than one split; None if nobody counted.
    """
    steps = [study, *parts]
    lines = [_lines(step) for step in steps]
    heights = [LINE * (1 + len(own)) + 10 for own in lines]
    height = sum(heights) + 10 * len(parts) + 34
    told = "; ".join(", ".join((step.name, *own)) for step, own in zip(steps, lines, strict=True))
    words = "Groups on two sides were not counted" if shared is None else f"{whole(shared)} groups on two sides"
    plot = Plot(f"Flow of the data: {told}; {words}", (0, 1), (0, 1), size=(WIDTH, height))
    top = 1.0
    for number, (step, own, own_height) in enumerate(zip(steps, lines, heights, strict=True)):
        left = 1 if number == 0 else 30
        if number:
            plot.add('<path d="M14 {t}V{y}H{l}" class="axis"/>', t=heights[0] + 1.0, y=top + own_height / 2, l=left)
        _box(plot, left, top, WIDTH - 1 - left, own_height)
        plot.text(left + 9, top + LINE, step.name, anchor="start", style="strong")
        for row, text in enumerate(own, start=2):
            plot.text(left + 9, top + LINE * row, text, anchor="start", style="tick")
        top += own_height + 10
    plot.text(30, top + 12, words, anchor="start", style="warned" if shared else "tick")
    return plot.render()


def flow_rows(study: Step, parts: Sequence[Step]) -> list[dict[str, Any]]:
    """The numbers of :func:`data_flow`, one row per box; a count that is not known is empty."""
    modalities = list(dict.fromkeys(name for step in (study, *parts) for name in step.images))
    return [
        {
            "part": step.name,
            "subjects": "" if step.subjects is None else step.subjects,
            "groups": "" if step.groups is None else step.groups,
            **{f"images of {name}": step.images.get(name, "") for name in modalities},
        }
        for step in (study, *parts)
    ]


def _lines(step: Step) -> list[str]:
    """What a box says below its name: people, then images by modality."""
    counts = {"subjects": step.subjects, "groups": step.groups}
    people = [f"{whole(count)} {noun}" for noun, count in counts.items() if count is not None]
    images = " · ".join(f"{name}\u00a0{whole(count)}" for name, count in step.images.items())
    wrapped = textwrap.wrap(f"images: {images}", LETTERS, break_on_hyphens=False) if images else []
    return [*([" · ".join(people)] if people else []), *wrapped]


def _box(plot: Plot, x: float, y: float, width: float, height: float) -> None:
    plot.add('<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="4" class="box"/>', x=x, y=y, w=width, h=height)
