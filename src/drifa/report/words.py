"""How the report writes numbers, in a form that needs no course in machine learning."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from drifa.metrics.names import Kind, metric_words

MISSING = "–"


def number(value: Any, digits: int = 3) -> str:
    """A number with the given decimals, or a dash where there is none."""
    if not isinstance(value, int | float) or math.isnan(value):
        return MISSING
    return f"{value:.{digits}f}"


def share(value: Any, digits: int = 1) -> str:
    """A share between 0 and 1 as a percentage, without the sign."""
    return number(100 * value if isinstance(value, int | float) else None, digits)


def millimetres(value: Any) -> str:
    """A distance to a tenth, without the unit."""
    return number(value, 1)


def whole(value: Any) -> str:
    """A count, with a thin space between thousands."""
    if not isinstance(value, int | float) or math.isnan(value):
        return MISSING
    return f"{value:,.0f}".replace(",", "\u2009")


def capital(text: str) -> str:
    """The text with a capital first letter, and the others as they are."""
    return text[:1].upper() + text[1:]


def duration(seconds: float) -> str:
    """A time in the two units that matter: ``3 d 04 h``, ``2 h 05 min``, ``3 min 20 s`` or ``12 s``."""
    total = round(seconds) if math.isfinite(seconds) else 0
    hours, minutes, rest = total // 3600, total % 3600 // 60, total % 60
    if hours >= 48:
        return f"{hours // 24} d {hours % 24:02d} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def written(metric: str, interval: dict[str, Any] | None, kind: Kind = "classes", unit: str = "") -> dict[str, str]:
    """A metric as the report prints it; see :func:`written_as`."""
    return written_as(metric_words(metric, kind).style, interval, unit)


def written_as(style: str, interval: dict[str, Any] | None, unit: str = "") -> dict[str, str]:
    """A value and its interval.

    Args:
        style: ``share`` (printed in %), ``mm``, ``number``, or ``unit`` for the task's own.
        interval: ``{"value", "low", "high"}``, each a number or None.
        unit: The task's own unit, such as ``years``; empty where it has none.

    Returns:
        ``text`` ("84.2 %") and ``range`` ("81.5 – 86.8", empty if there is none).
    """
    interval = interval or {}
    in_unit = partial(number, digits=_digits(interval.get("value")))
    ways: dict[str, Callable[[Any], str]] = {"share": share, "mm": millimetres, "unit": in_unit}
    write = ways.get(style, number)
    text = write(interval.get("value"))
    low, high = write(interval.get("low")), write(interval.get("high"))
    sign = {"share": "%", "mm": "mm", "unit": unit}.get(style)
    if sign and text != MISSING:
        text += f"\u00a0{sign}"
    return {"text": text, "range": "" if MISSING in (low, high) else f"{low}\u2009–\u2009{high}"}


def with_limits(style: str, interval: dict[str, Any], unit: str = "") -> str:
    """``84.2 % [81.5, 86.8]``, without the brackets where there are no limits; see :func:`written_as`."""
    told = written_as(style, interval, unit)
    limits = told["range"].replace("\u2009–\u2009", ", ")
    return f"{told['text']} [{limits}]" if limits and told["text"] != MISSING else told["text"]


def _digits(value: Any) -> int:
    """Decimals that show two figures of a number, at least one: a unit of the task's own may be large or small."""
    if not isinstance(value, int | float) or not math.isfinite(value) or value == 0:
        return 1
    return max(1, 1 - math.floor(math.log10(abs(value))))
