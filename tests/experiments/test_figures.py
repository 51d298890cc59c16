"""Labels of dots can be read: none covers another, and each is as near to its dot as the others allow."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from drifa.experiments.comparison import Contrast
from drifa.experiments.figures import LABEL, LETTER, LINE, LONGEST, contrast_label, free_heights, shortened


@pytest.mark.parametrize("spread", [0.0, 5.0, 200.0])
def test_no_label_covers_another(spread: float) -> None:
    random = np.random.default_rng(0)
    labels = ["a" * length for length in random.integers(1, 16, 12)]
    dots = [(float(x), float(y)) for x, y in 33.3 + spread * random.random((12, 2))]
    heights = free_heights(dots, labels)
    boxes = [
        (x + LABEL, x + LABEL + LETTER * len(label), base) for (x, _), label, base in zip(dots, labels, heights, strict=True)
    ]
    for one, other in combinations(boxes, 2):
        assert one[1] < other[0] or other[1] < one[0] or abs(one[2] - other[2]) >= LINE


def test_a_label_that_is_alone_stands_at_its_dot() -> None:
    assert free_heights([(0.0, 50.0), (300.0, 50.0)], ["drifa", "concat"]) == [44.0, 44.0]


def test_a_shortened_label_keeps_metric_and_task_and_what_tells_long_names_apart() -> None:
    arms = [f"frozen_dinov2_base_at_224_pixels_{ending}" for ending in ("alone", "metadata")]
    shown = contrast_label(Contrast(*arms, ["depth"], "balanced_accuracy", False, [0], {}, {}, None, "nothing", ""))
    assert shown.endswith(", balanced_accuracy, depth")
    assert len(shown) <= LONGEST
    first, second = shown.removesuffix(", balanced_accuracy, depth").split(" - ")
    assert first != second
    assert shortened("drifa", 5) == "drifa"
    assert [len(shortened("a" * 40, most)) for most in (12, 17)] == [12, 17]
