"""Figures of what `drifa explain` found over many cases, shares of the modalities and what the gates do, also in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from drifa.report.svg import Plot, nice_ticks

#: A gate that moves less than this over the cases scales its channels by a constant.
MOVES = 0.01
#: Kind of gate -> style class of its line.
GATE_STYLES = {"mfa": "s0", "mifa": "s1", "plus": "s2"}
#: Room for a letter of a name, pixels.
LETTER = 8


def share_bars(title: str, values: Mapping[str, tuple[float, float | None, float | None]], unit: str) -> Markup:
    """One bar from zero per name, with its interval as a whisker.

    Args:
        title: What a reader who cannot see the figure is told first.
        values: Name -> value, low, high.
        unit: Along the axis.
    """
    ends = [0.0, *(number for row in values.values() for number in row if number is not None)]
    low, high = min(ends), max(ends)
    pad = 0.05 * (high - low) or 0.05
    limits = (low - pad, high + pad)
    told = "; ".join(f"{name}: {_with_limits(*row)}" for name, row in values.items())
    plot = _rows(f"{title}. {told}", list(values), limits, 350)
    for place, (value, lower, upper) in enumerate(values.values()):
        y = len(values) - place - 0.5
        left, right = sorted((plot.at(0, y)[0], plot.at(value, y)[0]))
        middle = plot.at(0, y)[1]
        markup = '<rect x="{x}" y="{y}" width="{w}" height="14" class="dot s0"/>'
        plot.add(markup, x=left, y=middle - 7, w=max(right - left, 0.5))
        if lower is not None and upper is not None:
            ends_at = [plot.at(end, y)[0] for end in (lower, upper)]
            plot.add('<path d="M{a} {y}H{b}" class="axis"/>', a=ends_at[0], b=ends_at[1], y=middle)
    plot.x_axis(nice_ticks(*limits, 5), unit, lambda tick: f"{tick:.3g}")
    return plot.render()


def gate_rows(gates: Sequence[Mapping[str, Any]]) -> Markup:
    """Mean of every gate as a dot, and its spread over the cases to both sides, with both as numbers.

    Args:
        gates: ``kind``, ``modality``, ``block``, ``mean`` and ``spread`` of each; at least one.
    """
    names = [gate_name(gate) for gate in gates]
    numbers = [(float(gate["mean"]), float(gate["spread"])) for gate in gates]
    ends = [0.0, *(mean + side * spread for mean, spread in numbers for side in (-1, 1))]
    limits = (min(ends), max(max(ends), 0.05))
    told = "; ".join(f"{name}: {mean:.3f} ± {spread:.3f}" for name, (mean, spread) in zip(names, numbers, strict=True))
    plot = _rows(f"Mean of every gate and its standard deviation over the cases. {told}", names, limits, 440, 100)
    for place, (mean, spread) in enumerate(numbers):
        y = len(names) - place - 0.5
        (left, middle), (right, _) = plot.at(mean - spread, y), plot.at(mean + spread, y)
        plot.add('<path d="M{a} {y}H{b}" class="span"/>', a=left, b=right, y=middle)
        plot.add('<circle cx="{x}" cy="{y}" r="3.5" class="dot s0"/>', x=plot.at(mean, y)[0], y=middle)
        plot.text(plot.size[0] - 8, middle + 4, f"{mean:.3f} ± {spread:.3f}", anchor="end")
    plot.x_axis(nice_ticks(*limits, 5), "mean ± standard deviation over the cases", lambda tick: f"{tick:.3g}")
    return plot.render()


def largest_spreads(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """Of each kind of gate, by epoch counted from 1, the spread of the gate that moves most.

    Args:
        rows: Those of a ``gates.csv``; what no training writes is left out.
    """
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        kind, epoch, spread = row.get("kind"), row.get("epoch", -1.0), row.get("spread", -1.0)
        if kind in GATE_STYLES and 0 <= epoch < 10**6 and 0 <= spread <= 1:  # gates lie between 0 and 2
            own = found.setdefault(kind, {})
            own[int(epoch) + 1] = max(spread, own.get(int(epoch) + 1, 0.0))
    return {kind: dict(sorted(found[kind].items())) for kind in GATE_STYLES if kind in found}


def gate_curves(member: int, spreads: Mapping[str, Mapping[int, float]]) -> Markup:
    """Spread of the gates by epoch, one line per kind, and the bar below which a gate is a constant.

    Args:
        member: Number of the network.
        spreads: From :func:`largest_spreads`; at least one kind.
    """
    epochs = [epoch for own in spreads.values() for epoch in own]
    lone = 0.5 if min(epochs) == max(epochs) else 0.0
    most = max(max(own.values()) for own in spreads.values())
    x, y = (min(epochs) - lone, max(epochs) + lone), (0.0, max(2 * MOVES, 1.06 * most))
    told = "; ".join(f"{kind} {own[min(own)]:.3g} at first, {own[max(own)]:.3g} at last" for kind, own in spreads.items())
    title = f"Largest spread of a gate of network {member} by epoch: {told}"
    plot = Plot(title, x, y, size=(420, 132), margins=(46, 10, 12, 38))
    plot.y_axis(nice_ticks(*y, 4), lambda tick: f"{tick:.3g}")
    (left, level), (right, _) = plot.at(x[0], MOVES), plot.at(x[1], MOVES)
    plot.add('<path d="M{l} {y}H{r}" class="mark"/>', l=left, r=right, y=level)
    for kind, own in spreads.items():
        plot.line([(float(epoch), spread) for epoch, spread in own.items()], GATE_STYLES[kind])
    plot.x_axis([tick for tick in nice_ticks(*x, 6) if tick == round(tick)], "epoch", lambda tick: f"{tick:.0f}")
    return plot.render()


def gate_name(gate: Mapping[str, Any]) -> str:
    """``mfa photo layer1.0``."""
    return f"{gate.get('kind')} {gate.get('modality')} {gate.get('block')}"


def _rows(description: str, names: Sequence[str], limits: tuple[float, float], width: int, right: int = 12) -> Plot:
    """A plot with a named row per name, from the top."""
    room = max(170, 16 + LETTER * max(map(len, names), default=0))  # names of gates are long
    count = len(names)
    plot = Plot(description, limits, (0, count), size=(width + room, 60 + 24 * count), margins=(room, 8, right, 40))
    for place, name in enumerate(names):
        plot.text(room - 8, plot.at(limits[0], count - place - 0.5)[1] + 4, name, anchor="end")
    return plot


def _with_limits(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.3g}" if low is None or high is None else f"{value:.3g} ({low:.3g} to {high:.3g})"
