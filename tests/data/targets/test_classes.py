"""Classes as a study or a table of one's own declares them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError

TARGET = ClassTarget(("a", "b", "c"))


def test_strata_and_counts_are_the_classes() -> None:
    texts = np.array(["b", "a", "", "c"], dtype=object)
    values, known = TARGET.read(texts), texts != ""
    assert TARGET.strata(values, known).tolist() == [1, 0, -1, 2]
    assert {name: has.tolist() for name, has in TARGET.counted(values, known).items()} == {
        "a": [False, True, False, False],
        "b": [True, False, False, False],
        "c": [False, False, False, True],
    }
    assert TARGET.told(["b", "a", "b", ""]) == "a 1, b 2, c 0"


def test_another_study_is_matched_by_name_and_may_lack_a_class() -> None:
    assert TARGET.translated(ClassTarget(("c", "a")), np.array([0, 1, 0]), "t", "other").tolist() == [2, 0, 2]
    with pytest.raises(DrifaError, match="class 'd' of task 't' in study 'other'"):
        TARGET.translated(ClassTarget(("a", "d")), np.array([0]), "t", "other")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("a",), "only the class 'a'"),
        ((), "no class"),
        (("a", "a"), "lists the class 'a' twice"),
        (("a", ""), "lists an empty class"),
    ],
)
def test_declarations_that_cannot_be_are_refused(classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        ClassTarget(classes).check("t")


def test_a_class_that_no_row_has_is_named() -> None:
    with pytest.raises(DrifaError, match=r"class 'c' of task 't' has no images in study.csv"):
        TARGET.check_column("t", pd.Series(["a", "b", ""]), "study.csv")


def test_a_table_may_rename_and_join_its_values() -> None:
    spec = {"classes": {"M": "malignant", "m": "malignant", "B": "benign", "?": ""}}
    target, texts = ClassTarget.from_table("t", spec, ["m", "B", "?", "", "M"], range(2, 7), "table.csv")
    assert target.classes == ("malignant", "benign")
    assert texts == ["malignant", "benign", "", "", "malignant"]
    with pytest.raises(DrifaError, match=r"label 'b' in row 3 of table.csv is not listed for task 't' \(did you mean 'B'"):
        ClassTarget.from_table("t", spec, ["M", "b"], [2, 3], "table.csv")
