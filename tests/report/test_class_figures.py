"""Figures of classes: curves that a ranking must give, bars with their intervals, words for who cannot see them."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from drifa.report import class_figures


def ranked(seed: int, count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.uniform(size=count) < 0.3
    return truth, (random.normal(size=count) + truth).round(1)  # with ties


@pytest.mark.parametrize("seed", range(3))
def test_the_area_under_the_curve_is_the_auc(seed: int) -> None:
    truth, score = ranked(seed)
    across, up = np.array(class_figures.roc_points(truth, score)).T
    assert np.trapezoid(up, across) == pytest.approx(roc_auc_score(truth, score))
    found, precise = np.array(class_figures.precision_points(truth, score)).T
    assert (np.diff(found) >= 0).all()
    assert precise[-1] == pytest.approx(truth.mean())


def test_a_long_curve_keeps_its_ends() -> None:
    truth = np.arange(5000) % 3 == 0
    points = class_figures.roc_points(truth, np.random.default_rng(0).normal(size=5000))
    assert len(points) <= class_figures.MOST_POINTS
    assert points[0] == (0, 0)
    assert points[-1] == (1, 1)


def test_figures_are_well_formed_and_escape_names() -> None:
    rows = [
        {"class": "<b>", "value": 1.0, "low": 0.9, "high": 1.0, "few": False},
        {"class": "rare", "value": 0.5, "low": None, "high": None, "few": True},
    ]
    bars = class_figures.found_bars(rows)
    curve = class_figures.curves(
        "A curve", {"<b>": class_figures.Curve([(0, 0), (1, 1)], [], "AUC 0.5")}, "across", diagonal=True
    )
    doubt, counted = class_figures.doubt_bars([0.1, 0.1, 0.95], [0.5])
    for figure in (bars, curve, doubt, class_figures.doubt_bars([], [])[0]):
        ElementTree.fromstring(str(figure))
        assert "<b>" not in figure
        assert "nan" not in figure
    assert bars.count('class="span"') == 1
    assert bars.count("hollow") == 1
    assert "<b>: 100.0 %".replace("<", "&lt;").replace(">", "&gt;") in bars
    assert sum(row["right"] for row in counted) == 3
    assert sum(row["wrong"] for row in counted) == 1


def test_classes_beyond_the_colours_have_dashes() -> None:
    assert len({class_figures.class_style(number) for number in range(16)}) == 16


def test_bands_are_drawn_where_asked_for_and_always_in_the_data() -> None:
    curve = class_figures.Curve([(0, 0), (0.25, 0.5), (1, 1)], [(0.0, 0.0, 0.2), (0.5, 0.4, 0.8), (1.0, 0.8, 1.0)], "AUC 0.6")
    figure = class_figures.curves("Curves", {"a": curve, "b": curve}, "across", diagonal=True, bands=["b"])
    assert figure.count('class="band c1"') == figure.count("polygon") == 1
    assert "a: AUC 0.6; b: AUC 0.6" in figure
    assert class_figures.banded(curve, across="a", up="b")[1] == {"a": 0.25, "b": 0.5, "low": 0.2, "high": 0.5}
    assert class_figures.banded(curve._replace(band=[]), across="a", up="b")[0] == {"a": 0, "b": 0, "low": None, "high": None}
