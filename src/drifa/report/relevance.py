"""When a map of relevance should not be read, and what its colours mean: one rule for page and command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

#: Dark blue to yellow, rising in lightness: read alike with any colour vision, and in grey.
COLOURS = np.array(
    [(0, 34, 78), (53, 69, 108), (102, 105, 112), (148, 142, 119), (200, 184, 102), (254, 232, 56)], dtype=np.float64
)
#: How much of the colour covers the image where the map is 1.
OPACITY = 0.65
#: A map that is as like the one of shuffled weights, either way, does not show what was learned.
ALIKE = 0.5
#: Maps of the networks that agree less do not show what training gives each time.
AGREED = 0.3
#: A map of fewer cells along a side says nothing of places.
FEWEST_CELLS = 4
#: The rule of :func:`doubts` in words.
RULE = (
    f"those that are empty, that shuffled weights draw as well (correlation of {ALIKE} or more, either way), on which the "
    f"networks agree less than {AGREED}, or whose pixels bring the answer back no sooner than random ones (insertion)"
)


def doubts(told: Mapping[str, Any]) -> list[str]:
    """Why a map should not be read; empty for one that passes its checks. A check without a number is not held against it.

    Args:
        told: A map as `explain.json` has it, see :class:`drifa.explain.record.MapRecord`.
    """
    if told.get("largest") == 0:
        return ["it is empty: nothing in the image spoke for the answer"]
    alike, agreed = _known(told, "randomisation"), _known(told, "agreement")
    own, random = _known(told, "insertion"), _known(told, "random")
    found = []
    if alike is not None and abs(alike) >= ALIKE:
        found.append(f"shuffled weights draw much the same (correlation {alike:.2f})")
    if agreed is not None and agreed < AGREED:
        found.append(f"the networks draw different ones (agreement {agreed:.2f})")
    if own is not None and random is not None and own <= random:
        found.append(f"its pixels bring the answer back no sooner than random ones ({own:.3f}, random {random:.3f})")
    return found


def checks(told: Mapping[str, Any]) -> str:
    """The checks of a map in a line, without those that have no number."""
    parts = [
        f"{words} {value:.2f}"
        for words, key in (("shuffled weights", "randomisation"), ("agreement", "agreement"))
        if (value := _known(told, key)) is not None
    ]
    if (random := _known(told, "random")) is not None:
        parts += [f"{key} {own:.3f}" for key in ("insertion", "deletion") if (own := _known(told, key)) is not None]
        parts.append(f"either by random pixels {random:.3f}")
    return ", ".join(parts)


def too_coarse(cells: Any) -> bool:
    """Whether a map of so many cells, ``[rows, columns]``, says nothing of places."""
    return isinstance(cells, list | tuple) and len(cells) == 2 and min(cells) < FEWEST_CELLS


def scale_bar(of: str = "relevance", most: str = "the most in the map") -> Markup:
    """The colours of an overlay from none to the most, for the page.

    Args:
        of: What they show.
        most: What 1 is.
    """
    stops = Markup("").join(
        Markup('<stop offset="{o:.2f}" stop-color="rgb({r:.0f},{g:.0f},{b:.0f})"/>').format(o=place, r=r, g=g, b=b)
        for place, (r, g, b) in zip(np.linspace(0, 1, len(COLOURS)), COLOURS, strict=True)
    )
    return Markup(
        '<svg class="scale" width="320" viewBox="0 0 320 34" role="img" aria-label="Scale of {o}: dark blue is 0, none, '
        'where the image shows as it is; yellow is 1, {m}">'
        '<defs><linearGradient id="relevance">{s}</linearGradient></defs>'
        '<rect x="10" y="2" width="300" height="12" fill="url(#relevance)"/><text x="10" y="30" class="tick">0: none</text>'
        '<text x="310" y="30" class="tick" text-anchor="end">1: {m}</text></svg>'
    ).format(s=stops, o=of, m=most)


def _known(told: Mapping[str, Any], key: str) -> float | None:
    value = told.get(key)
    return float(value) if isinstance(value, int | float) and value == value else None
