"""The classes of a partial copy of a dataset."""

from __future__ import annotations

import pandas as pd
import pytest

from drifa.data.adapters.base import present_classes
from drifa.errors import DrifaError


def test_the_classes_that_are_there_keep_their_order_and_the_others_are_told() -> None:
    assert present_classes(pd.Series(["c", "a", "c"]), ("c", "b", "a"), "t") == (
        ("c", "a"),
        " Classes without an image here, left out of the study: b.",
    )
    assert present_classes(pd.Series(["b", "a"]), ("a", "b"), "t") == (("a", "b"), "")
    with pytest.raises(DrifaError, match="only class 'a' of task 't'; nothing can be learned from one class"):
        present_classes(pd.Series(["a", "a"]), ("a", "b"), "t")
