"""A column for each class, one of them marked: read as one label, or refused with its row."""

from __future__ import annotations

import pandas as pd
import pytest

from drifa.data.adapters.one_hot import one_hot_labels
from drifa.data.adapters.prepare import prepare_table
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, rewritten


def test_the_marked_column_is_the_label() -> None:
    table = pd.DataFrame({"a": ["1.0", "0", "", "False", "x"], "b": ["0.0", "1", "", "TRUE", ""]})
    assert one_hot_labels(table, ["a", "b"], range(2, 7), "t.csv") == ["a", "b", "", "b", "a"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("1", "1"), "row 9 of t.csv marks both 'a' and 'b'"),
        (("0", "0.0"), "row 9 of t.csv marks none of a, b"),
        (("0.7", "0.3"), "column 'a' holds '0.7' in row 9 of t.csv"),
    ],
)
def test_rows_without_one_mark_are_named(cells: tuple[str, str], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        one_hot_labels(pd.DataFrame([cells], columns=["a", "b"]), ["a", "b"], [9], "t.csv")


def test_a_task_of_a_table_may_have_a_column_for_each_class(fake: Folder) -> None:
    """As in the truth files of ISIC, where images are named without their ending, too, and a class may have no case."""

    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["tasks"] = {"kind": {"columns": ["NV", "MEL", "UNK"]}}
        marks = {
            name: [f"{float(here)}" for here in table["where"] == place] for name, place in (("NV", "arm"), ("MEL", "back"))
        }
        return table.assign(**marks, UNK="0.0", photo_file=table["photo_file"].str.removesuffix(".png"))

    study = prepare_table(rewritten(fake("table"), change))
    assert study.tasks["kind"].classes == ("NV", "MEL")
    assert not {"NV", "MEL", "UNK"} & set(study.table.columns)
    assert (study.table["kind"] == study.table["where"].map({"arm": "NV", "back": "MEL"})).all()
    assert study.table["path"].str.endswith(".png").all()
