"""Labels of dots can be read: none covers another, and each is as near to its dot as the others allow."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from drifa.experiments.figures import LABEL, LETTER, LINE, free_heights


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
