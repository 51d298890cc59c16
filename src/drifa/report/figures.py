"""The report's figures: training curves, reliability, accuracy against coverage, and the small interval bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from drifa.metrics.curves import wilson_interval
from drifa.report.svg import Plot, nice_ticks
from drifa.report.words import share, whole
from drifa.uncertainty.modes import MODE_NAMES, MODES, mode_order

Rows = Sequence[dict[str, Any]]


def mode_style(mode: str) -> str:
    """Style class of a mode's line: each has its own colour and its own dashes."""
    order = mode_order(MODES)
    return f"s{order.index(mode) if mode in order else len(order) - 1}"


def loss_curves(member: int, history: Sequence[dict[str, float]], best_epoch: float | None) -> Markup:
    """Training and validation loss of one member, with the epoch that was kept."""
    epochs = [row.get("epoch", math.nan) for row in history]
    losses = [row.get(key, math.nan) for row in history for key in ("train_loss", "val_loss")]
    x, y = _limits(epochs), _limits(losses, pad=0.06)
    told = "; ".join(
        f"{name} loss {_ends(history, key)}" for name, key in (("training", "train_loss"), ("validation", "val_loss"))
    )
    told += f"; kept epoch {best_epoch:.0f}" if best_epoch is not None else ""
    plot = Plot(f"Losses of network {member} by epoch: {told}", x, y, size=(420, 206), margins=(46, 12, 12, 26))
    plot.y_axis(nice_ticks(*y, 4), _plain)
    if best_epoch is not None:
        (column, top), (_, base) = plot.at(best_epoch, y[1]), plot.at(best_epoch, y[0])
        plot.add('<path d="M{x} {t}V{b}" class="mark"/>', x=column, t=top, b=base)
    for key, style in (("train_loss", "s0"), ("val_loss", "s1")):
        plot.line([(row.get("epoch", math.nan), row.get(key, math.nan)) for row in history], style)
    plot.x_axis(_whole_ticks(x), "", lambda tick: f"{tick:.0f}")
    return plot.render()


def rate_curve(member: int, history: Sequence[dict[str, float]]) -> Markup | None:
    """Learning rate of one member on a logarithmic axis; None if the history has no positive one."""
    points = [(row.get("epoch", math.nan), row.get("lr", math.nan)) for row in history]
    points = [(epoch, rate) for epoch, rate in points if math.isfinite(epoch) and math.isfinite(rate) and rate > 0]
    if not points:
        return None
    low = math.floor(math.log10(min(rate for _, rate in points)) + 1e-9)
    high = max(math.ceil(math.log10(max(rate for _, rate in points)) - 1e-9), low + 1)
    x = _limits([row.get("epoch", math.nan) for row in history])
    plot = Plot(
        f"Learning rate of network {member} by epoch, {_ends(history, 'lr')}",
        x,
        (10.0**low, 10.0**high),
        size=(420, 112),
        margins=(46, 10, 12, 38),
        log_y=True,
    )
    plot.y_axis(
        [10.0**power for power in range(low, high + 1, max(1, (high - low) // 2))],
        lambda tick: f"{tick:.0e}".replace("e-0", "e-"),
    )
    plot.line(points, "s3")
    plot.x_axis(_whole_ticks(x), "epoch", lambda tick: f"{tick:.0f}")
    return plot.render()


def reliability_diagram(title: str, rows: Rows) -> Markup:
    """Share right against stated confidence: a dot per bin, its area as the number of images, with the interval of its share.

    Args:
        title: What a reader who cannot see the figure is told first.
        rows: From :func:`reliability_rows`.
    """
    told = "; ".join(
        f"{share(row['confidence'], 0)} % stated, {share(row['accuracy'], 0)} % right "
        f"({share(row['right_low'], 0)} to {share(row['right_high'], 0)}, {whole(row['count'])} images)"
        for row in rows
    )
    plot = Plot(f"{title}. {told}", (0, 1), (0, 1), size=(420, 346), margins=(46, 12, 12, 40))
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    plot.y_axis(ticks, _percent)
    (x0, y0), (x1, y1) = plot.at(0, 0), plot.at(1, 1)
    plot.add('<path d="M{x0} {y0}L{x1} {y1}" class="mark"/>', x0=x0, y0=y0, x1=x1, y1=y1)
    most = max((row["count"] for row in rows), default=1)
    for row in rows:
        (x, y), (_, top), (_, base) = (plot.at(row["confidence"], row[key]) for key in ("accuracy", "right_high", "right_low"))
        plot.add('<path d="M{x} {t}V{b}" class="whisker bold"/>', x=x, t=top, b=base)
        plot.add('<circle cx="{x}" cy="{y}" r="{r}" class="dot s0"/>', x=x, y=y, r=2 + 6 * (row["count"] / most) ** 0.5)
    plot.x_axis(ticks, "stated confidence", _percent)
    return plot.render()


def reliability_rows(bins: Rows) -> list[dict[str, Any]]:
    """The bins that hold images, with the limits of their share right, ``right_low`` and ``right_high``."""
    limits = [(row, wilson_interval(row["accuracy"], row["count"])) for row in bins if row["count"]]
    return [{**row, "right_low": low, "right_high": high} for row, (low, high) in limits]


def coverage_curves(curves: dict[str, Rows]) -> Markup:
    """Accuracy on the surest images by the share kept, one line per mode."""
    values = [row["accuracy"] for rows in curves.values() for row in rows]
    low = max(0.0, math.floor((min(values) - 0.02) * 10) / 10)
    ends = "; ".join(
        f"{MODE_NAMES.get(mode, mode)}: {share(rows[0]['accuracy'])} % on the surest {share(rows[0]['coverage'], 0)} %, "
        f"{share(rows[-1]['accuracy'])} % on all"
        for mode, rows in curves.items()
    )
    y = (low, 1.0)
    plot = Plot(f"Accuracy by share of images kept. {ends}", (0, 1), y, size=(420, 300))
    plot.y_axis(nice_ticks(*y, 5), _percent)
    # The most thorough mode is drawn last, on top.
    for mode in reversed(mode_order(curves)):
        plot.line([(row["coverage"], row["accuracy"]) for row in curves[mode]], mode_style(mode))
    plot.x_axis([0, 0.2, 0.4, 0.6, 0.8, 1.0], "share of images kept, surest first", _percent)
    return plot.render()


def dice_strip(by_region: Mapping[str, Sequence[float]]) -> Markup:
    """One dot per subject on a scale of Dice from 0 to 1, one row per region, its mean as an upright line."""
    told = "; ".join(f"{name}: {', '.join(f'{value:.2f}' for value in sorted(values))}" for name, values in by_region.items())
    names = list(by_region)
    height = 34 * len(names) + 46
    plot = Plot(f"Dice of every subject. {told}", (0, 1), (0, len(names)), size=(420, height), margins=(76, 6, 12, 40))
    for row, name in enumerate(reversed(names)):
        (left, middle), (right, _) = plot.at(0, row + 0.5), plot.at(1, row + 0.5)
        plot.add('<path d="M{l} {y}H{r}" class="track"/>', l=left, r=right, y=middle)
        plot.text(left - 10, middle + 4, name if len(name) <= 9 else f"{name[:8]}…", anchor="end")
        values = by_region[name]
        mean = plot.at(sum(values) / len(values), 0)[0]
        plot.add('<path d="M{x} {t}v16" class="mark"/>', x=mean, t=middle - 8)
        for value in values:
            plot.add('<circle cx="{x}" cy="{y}" r="3.5" class="dot s0"/>', x=plot.at(value, 0)[0], y=middle)
    plot.x_axis([0, 0.2, 0.4, 0.6, 0.8, 1.0], "Dice", lambda tick: f"{tick:.1f}")
    return plot.render()


def interval_bar(interval: dict[str, Any], tick: float | None = None) -> Markup | None:
    """A value and its interval on a scale from 0 to 1; None where the interval is not known.

    Args:
        interval: ``value``, ``low``, ``high``.
        tick: What it costs nothing to reach, an upright line on the same scale.
    """
    value, low, high = (interval.get(key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None or not 0 <= low <= high <= 1:
        return None
    told = f"{share(value)} %, interval from {share(low)} to {share(high)} %, on a scale from 0 to 100 %"
    told += f"; the upright line, {share(tick)} %, costs nothing to reach" if tick is not None else ""
    plot = Plot(told, (0, 1), (0, 1), size=(180, 16), margins=(4, 2, 4, 2))
    (left, middle), (right, _) = plot.at(low, 0.5), plot.at(high, 0.5)
    plot.add('<path d="M4 {y}H176" class="track"/>', y=middle)
    plot.add('<path d="M{l} {y}H{r}" class="span"/>', l=left, r=right, y=middle)
    if tick is not None:
        plot.add('<path d="M{x} 1v14" class="tickmark"/>', x=plot.at(tick, 0.5)[0])
    plot.add('<circle cx="{x}" cy="{y}" r="3.5" class="dot s0"/>', x=plot.at(value, 0.5)[0], y=middle)
    return plot.render()


def _ends(history: Sequence[dict[str, float]], key: str) -> str:
    """``2.1 in epoch 1, least 0.31 in epoch 5, 0.33 in epoch 6``"""
    known = [(row[key], row.get("epoch", math.nan)) for row in history if math.isfinite(row.get(key, math.nan))]
    if not known:
        return "not recorded"
    parts = (("", known[0]), ("least ", min(known)), ("", known[-1]))
    return ", ".join(f"{word}{value:.3g} in epoch {epoch:.0f}" for word, (value, epoch) in parts)


def _limits(values: Sequence[float], pad: float = 0.0) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if low == high:
        return low - 0.5, high + 0.5
    return low - pad * (high - low), high + pad * (high - low)


def _whole_ticks(limits: tuple[float, float]) -> list[float]:
    return [tick for tick in nice_ticks(*limits, 6) if tick == round(tick)]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _plain(value: float) -> str:
    return f"{value:.3g}"
