"""The printed numbers are those of the paper, with what is in doubt beside them."""

from __future__ import annotations

import pytest

from drifa.experiments.printed import printed, rows_of


def test_every_cell_stands_there_once() -> None:
    cells = printed()
    assert len({(cell.table, cell.dataset, cell.row, cell.metric) for cell in cells}) == len(cells)
    assert {cell.table for cell in cells} == {f"table{number}" for number in range(1, 8)}
    assert all(0 < cell.value <= 100 for cell in cells)


@pytest.mark.parametrize(
    ("place", "metric", "text"),
    [
        (("table1", "D1", "M5"), "accuracy", "98.2"),
        (("table2", "D1", "M5"), "auc", "100.0"),
        (("table3", "D5", "M5"), "dice", "89.9"),
        (("table4", "D2", "MIFA"), "recall", "94.7"),
        (("table5", "D2", "CLIA+MLIFA"), "f1", "92.0"),
        (("table6", "D1", "MIFA 6"), "accuracy", "96.3"),
        (("table7", "D2", "uncertainty"), "f1", "95.05"),
    ],
)
def test_numbers_are_those_of_the_paper(place: tuple[str, str, str], metric: str, text: str) -> None:
    assert rows_of(printed())[place][metric].text == text


def test_the_mean_dice_is_that_of_its_three_regions() -> None:
    for (table, _, row), cells in rows_of(printed()).items():
        if table == "table3":
            mean = sum(cells[f"dice_{region}"].value for region in ("WT", "TC", "ET")) / 3
            assert mean == pytest.approx(cells["dice"].value, abs=0.06), row


def test_the_last_printed_digit_is_known() -> None:
    rows = rows_of(printed())
    assert rows["table1", "D2", "M4"]["accuracy"].unit == pytest.approx(0.01)
    assert rows["table1", "D2", "M5"]["accuracy"].unit == pytest.approx(0.1)


def test_cells_that_cannot_be_assigned_are_marked() -> None:
    for (table, _, row), cells in rows_of(printed()).items():
        if table == "table6":
            assert bool(cells["accuracy"].doubt) == (row.split()[1] in "2345")
