"""The figure of a decision curve: well formed, inside its frame, and told in words."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from drifa.metrics.decisions import DecisionPoint, decision_curves
from drifa.report.decision_figures import decision_figure

SIZE = (420, 300)


def points(truth: np.ndarray, score: np.ndarray, groups: np.ndarray) -> list[DecisionPoint]:
    return decision_curves(truth.astype(int), np.stack([1 - score, score], axis=1), groups, resamples=30)[1]


@pytest.mark.parametrize("turned", [False, True])
def test_nothing_leaves_the_frame(turned: bool) -> None:
    truth = np.arange(60) % 4 == 0
    score = np.where(truth != turned, 0.9, 0.2)  # turned: sure and wrong, far below any axis
    figure = decision_figure("Net benefit <b>", points(truth, score, np.arange(60)), SIZE)
    root = ElementTree.fromstring(str(figure))
    assert "nan" not in figure
    assert root.attrib["aria-label"].startswith("Net benefit <b>. The model is ")
    assert ("nowhere above both" in figure) is turned
    drawn = [element.attrib["points"] for element in root.iter() if "points" in element.attrib]
    heights = [float(y) for corners in drawn for y in re.findall(r"[\d.-]+", corners)[1::2]]
    assert min(heights) >= 0
    assert max(heights) <= SIZE[1]


def test_one_group_has_no_band() -> None:
    truth = np.arange(20) % 2 == 0
    alone = decision_figure("One", points(truth, truth * 0.5, np.zeros(20)))
    several = decision_figure("Many", points(truth, truth * 0.5, np.arange(20)))
    assert "polygon" not in alone
    assert several.count("polygon") == 1
