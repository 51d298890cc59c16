"""Figures of volumes: agreement as counted, dots inside the frame, extremes drawn."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from drifa.report.volume_figures import SIZE, agreement, bland_altman, dice_by_volume


def test_agreement_is_bias_and_its_limits() -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(5, 50, 4000)
    found = agreement(list(zip(truth.tolist(), (truth - 3 + random.normal(0, 2, 4000)).tolist(), strict=True)))
    assert found is not None
    assert found.bias == pytest.approx(-3, abs=0.15)
    assert found.low == pytest.approx(-3 - 1.96 * 2, abs=0.3)
    assert found.high - found.bias == pytest.approx(found.bias - found.low)
    assert agreement([(1.0, 2.0), (3.0, 3.0)]) is None


@pytest.mark.parametrize("pairs", [[(0.0, 0.0)], [(5.0, 5.0)] * 4, [(1.0, 900.0), (1000.0, 0.0), (3.0, 2.0), (0.0, 4.0)]])
def test_every_subject_is_a_dot_in_the_frame(pairs: list[tuple[float, float]]) -> None:
    for figure in (bland_altman("<b>", pairs), dice_by_volume("<b>", [(truth, 0.5) for truth, _ in pairs])):
        root = ElementTree.fromstring(str(figure))
        assert "nan" not in figure
        circles = [element.attrib for element in root.iter() if element.tag.endswith("circle")]
        assert len(circles) == len(pairs)
        assert all(0 <= float(circle["cx"]) <= SIZE[0] and 0 <= float(circle["cy"]) <= SIZE[1] for circle in circles)
    assert bland_altman("x", pairs).count('class="mark"') == (2 if len(pairs) > 2 else 0)
