"""Figures of an explanation: every number in words, and every mark where its number is."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from drifa.report.explanation_figures import MOVES, gate_curves, gate_rows, largest_spreads, share_bars


def test_bars_end_at_their_values_and_are_told() -> None:
    figure = str(share_bars("Shares", {"photo": (0.4, 0.2, 0.5), "<scan>": (-0.2, None, None)}, "share"))
    ElementTree.fromstring(figure)
    assert "photo: 0.4 (0.2 to 0.5); &lt;scan&gt;: -0.2" in figure
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', figure)]
    assert abs(widths[0] - 2 * widths[1]) < 0.5


def test_a_gate_is_drawn_with_its_mean_and_spread() -> None:
    still = {"kind": "mfa", "modality": "photo", "block": "a", "mean": 0.5, "spread": 0.0}
    moving = {"kind": "plus", "modality": "scan", "block": "b", "mean": 1.1, "spread": 0.1}
    figure = str(gate_rows([still, moving]))
    ElementTree.fromstring(figure)
    assert "mfa photo a: 0.500 ± 0.000; plus scan b: 1.100 ± 0.100" in figure
    spans = [float(b) - float(a) for a, b in re.findall(r'd="M([\d.]+) [\d.]+H([\d.]+)" class="span"', figure)]
    assert spans[0] == 0 < spans[1]


def test_a_line_per_kind_is_above_the_bar_where_its_gates_move() -> None:
    def row(kind: str, epoch: float, spread: float) -> dict[str, object]:
        return {"kind": kind, "epoch": epoch, "spread": spread}

    still, moving = [row("mfa", epoch, 0.002) for epoch in (0.0, 1.0)], [row("mifa", epoch, 0.03) for epoch in (1.0, 0.0)]
    odd = [row("mfa", 0.0, value) for value in (float("nan"), float("inf"), -1.0, 1e300)]
    odd += [row("mfa", value, 0.5) for value in (float("nan"), float("inf"), -3.0, 1e300)] + [row("other", 0.0, 0.5), {}]
    spreads = largest_spreads([*moving, row("mifa", 0.0, 0.01), *still, *odd])
    assert spreads == {"mfa": {1: 0.002, 2: 0.002}, "mifa": {1: 0.03, 2: 0.03}}
    figure = str(gate_curves(0, spreads))
    ElementTree.fromstring(figure)
    bar = float(re.findall(r'd="M[\d.]+ ([\d.]+)H[\d.]+" class="mark"', figure)[0])
    mfa, mifa = (float(y) for y in re.findall(r'points="[\d.]+ ([\d.]+) ', figure))
    assert mifa < bar < mfa  # pixels count downwards
    assert 0.002 < MOVES < 0.03
    ElementTree.fromstring(str(gate_curves(0, {"plus": {3: 0.0}})))
