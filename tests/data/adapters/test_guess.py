"""Columns are told apart by what their cells are, and by their names where cells do not say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from drifa.data.adapters.guess import guess_columns

FOLDER = Path("/data")
IMAGES = [f"images/{number}.png" for number in range(20)]


def table(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"image": [f"{number}" for number in range(20)], **columns})


@pytest.mark.parametrize("cell", ["{}.png", "{}", "images/{}.png", "/data/images/{}.png", "images\\{}.PNG"])
def test_paths_are_found_however_they_are_written(cell: str) -> None:
    found = guess_columns(pd.DataFrame({"x": [cell.format(n) for n in range(20)]}), FOLDER / "t.csv", FOLDER, IMAGES)
    assert found is not None
    assert found.paths == ("x",)
    assert found.subject == "x"


def test_a_table_of_something_else_is_none() -> None:
    assert guess_columns(pd.DataFrame({"x": ["a", "b"]}), FOLDER / "t.csv", FOLDER, IMAGES) is None


def test_names_decide_between_columns_that_look_alike() -> None:
    halves, pairs = ["a", "b"] * 10, [str(number // 2) for number in range(20)]
    found = guess_columns(
        table(sex=halves, Diagnosis=halves, patientID=pairs, visit=pairs, set=["train", "test"] * 10, age=["4,5"] * 20),
        *(FOLDER / "t.csv", FOLDER, IMAGES),
    )
    assert found is not None
    assert (found.group, found.split, list(found.labels), list(found.further)) == ("patientID", "set", ["Diagnosis"], ["sex"])
    assert set(found.values) == {"sex", "visit", "age"}
