"""Figures: round ticks inside the limits, gaps left open, and marks where the data are."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from drifa.report import figures
from drifa.report.svg import Plot


def test_figures_are_well_formed_and_escape_what_they_are_told() -> None:
    rows = [
        {"low": 0.0, "high": 0.5, "count": 3, "confidence": 0.4, "accuracy": 1 / 3},
        {"low": 0.5, "high": 1.0, "count": 0, "confidence": None, "accuracy": None},
    ]
    history = [{"epoch": 0.0, "lr": 1e-3, "train_loss": 1.0, "val_loss": 1.0, "seconds": 1.0}]
    curve = [{"coverage": 0.5, "accuracy": 1.0}, {"coverage": 1.0, "accuracy": 1.0}]
    drawn = [
        figures.reliability_diagram("Right", figures.reliability_rows(rows)),
        figures.coverage_curves({"mc": curve, 'odd "mode" <b>': curve}),
        figures.loss_curves(0, history, 0),
        figures.rate_curve(0, history),
        figures.interval_bar({"value": 0.5, "low": 0.4, "high": 0.6}),
        Plot('a "quoted" <b>', (0, 1), (0, 1)).render(),
    ]
    for figure in drawn:
        ElementTree.fromstring(f"<div>{figure}</div>")
        assert "<b>" not in figure
    assert drawn[0].count("<circle") == drawn[0].count("whisker") == 1


def test_the_area_of_a_dot_grows_with_its_images() -> None:
    rows = [
        {"low": low, "high": low + 0.5, "count": count, "confidence": low + 0.3, "accuracy": 0.5}
        for low, count in ((0.0, 4), (0.5, 400))
    ]
    figure = str(figures.reliability_diagram("Right", figures.reliability_rows(rows)))
    small, large = (float(radius) for radius in re.findall(r' r="([\d.]+)"', figure))
    assert small < large
    heights = [abs(float(a) - float(b)) for a, b in re.findall(r'd="M[\d.]+ ([\d.]+)V([\d.]+)" class="whisker', figure)]
    assert heights[0] > 2 * heights[1]


def test_no_bar_without_an_interval_on_the_scale() -> None:
    assert figures.interval_bar({"value": 0.5, "low": None, "high": None}) is None
    assert figures.interval_bar({"value": 1.4, "low": 1.2, "high": 1.6}) is None
    assert figures.rate_curve(0, [{"epoch": 0.0, "lr": 0.0}]) is None
