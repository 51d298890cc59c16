"""From numbers to a sentence, by rule: nothing is better whose interval holds 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from drifa.errors import plural
from drifa.experiments.telling import ALPHA, least_p
from drifa.metrics.differences import Difference
from drifa.metrics.names import VOLUME_METRICS, Kind, Metric, metric_words

Found = Literal["a", "b", "higher", "lower", "nothing"]


def judge(
    a: str,
    b: str,
    task: str,
    metric: str,
    kind: Kind,
    difference: Difference,
    by_seed: Mapping[str, float | None],
    adjusted: float | None = None,
    unit: str = "",
    groups: int | None = None,
) -> tuple[Found, str]:
    """What may be said of arm a minus arm b.

    Args:
        a: Name of an arm.
        b: Of another.
        task: In words.
        metric: A name in :data:`drifa.metrics.names.METRICS_OF`.
        kind: Of the task.
        difference: a - b.
        by_seed: The same, of each seed.
        adjusted: p after adjustment for all that was looked at; None for what was decided beforehand.
        unit: Of numbers.
        groups: How many tell the arms apart, as in :func:`drifa.experiments.telling.telling_groups`; None for enough.

    Returns:
        Which arm is better, and the sentence.
    """
    row = words_of(metric, kind)
    name = f"{metric} of {task}"
    value, low, high = difference["value"], difference["low"], difference["high"]
    if value is None or low is None or high is None:
        return "nothing", f"No difference between {a} and {b} can be told: {name} has no interval on this test set."
    limits = f"[{written(low, row.style)}, {written(high, row.style)}]{unit_of(row.style, unit)}"
    told = f"{a} - {b} = {written(value, row.style)} {limits}"
    least = difference["detectable"]
    if low <= 0 <= high:
        shown = (
            f"this test set could have shown one of about {amount(least, row.style, unit, sign=False)}"
            if least is not None
            else "it is the same in every resample, which does not tell what this test set could have shown"
        )
        return "nothing", f"No difference between {a} and {b} can be told apart: {name}, {told}; {shown}."
    if groups is not None and least_p(groups) >= ALPHA:
        return "nothing", (
            f"No difference between {a} and {b} is told: {name}, {told}, excludes 0, but the arms differ in "
            f"{plural(groups, 'group')} of the test set only, which all favour one by chance with p = {least_p(groups):.3f}."
        )
    if adjusted is not None and adjusted >= ALPHA:
        return "nothing", (
            f"No difference between {a} and {b} is told: {name}, {told}, excludes 0 by itself, and does not among all that "
            f"were looked at (p = {adjusted:.3f} after Holm)."
        )
    doubt = _doubt(value, list(by_seed.values()))
    if not row.better:
        side: Found = "higher" if value > 0 else "lower"
        return side, f"{a} is {side} than {b} in {name}: {told}{doubt}."
    wins = (value > 0) == (row.better == "higher")
    better, worse = (a, b) if wins else (b, a)
    return ("a" if wins else "b"), f"{better} is better than {worse} in {name}: {told}{doubt}."


def words_of(metric: str, kind: Kind) -> Metric:
    """The row of a metric; of regions, whatever region its name ends with."""
    if kind != "regions":
        return metric_words(metric, kind)
    known = [name for name in VOLUME_METRICS if metric == name or metric.startswith(f"{name}_")]
    return metric_words(max(known, key=len, default=metric), kind)


def _doubt(value: float, by_seed: Sequence[float | None]) -> str:
    """What stands behind a finding that not every seed supports, or that one seed alone does."""
    known = [one for one in by_seed if one is not None]
    against = sum(one * value <= 0 for one in known)
    if len(known) == 1:
        return "; of this one seed: another may differ"
    return f"; {against} of {len(known)} seeds say otherwise" if against else ""


def written(value: float | None, style: str, sign: bool = True) -> str:
    """A number of a metric without its unit: shares in percent or points; a dash for None.

    Plain numbers, such as an AUC, have as many decimals as a share; millimetres and a task's own unit three figures.
    """
    if value is None:
        return "–"
    text = f"{100 * value:+.1f}" if style == "share" else f"{value:+.3f}" if style == "number" else f"{value:+.3g}"
    return text if sign or text.startswith("-") else text[1:]


def amount(value: float | None, style: str, unit: str = "", sign: bool = True) -> str:
    """A number of a metric with its unit; a dash for None."""
    return written(value, style, sign) + (unit_of(style, unit) if value is not None else "")


def unit_of(style: str, unit: str = "") -> str:
    """What a difference of a metric is in, with a space before; empty for a plain number."""
    named = {"share": "points", "mm": "mm", "unit": unit}.get(style, "")
    return f" {named}" if named else ""
