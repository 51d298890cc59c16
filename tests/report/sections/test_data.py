"""Data and split: what the receipt says, in the order of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drifa.report.sections import data
from drifa.runs.files import read_run
from tests.report.other_runs import edit
from tests.report_page import report


def test_what_the_receipt_says_of_the_split_is_told(run: Path) -> None:
    edit(
        run / "split_receipt.json",
        lambda receipt: receipt.update(
            protocol="kfold", folds=5, fold=2, group_meaning="a lesion", unused=17, note="<b>by hand</b>"
        ),
    )
    page = report(run)
    assert page.has("data", "kfold, fold 2 of 5 (from 0), seed 0")
    assert "A group is" in page.text["data"]
    assert "a lesion" in page.text["data"]
    assert page.has("data", "17 subjects")
    assert page.has("data", "<b>by hand</b>")


def test_the_drawing_holds_every_split_and_what_is_left_out(run: Path) -> None:
    counts = {"subjects": {"train": 30, "val": 8, "test": 9}, "groups": {"train": 21, "val": 5, "test": 6}}
    edit(run / "split_receipt.json", lambda receipt: receipt.update(counts, unused=17, groups_in_two_splits=0))
    flow = data.record(read_run(run))["flow"]
    for said in ("training, 30 subjects · 21 groups", "validation, 8 subjects", "test, 9 subjects", "0 groups on two sides"):
        assert said in flow["figure"]
    assert "left out of every split, 17 subjects" in flow["figure"]
    assert report(run).has("data", "30 subjects · 21 groups")


def test_totals_are_the_sums_of_their_columns(run: Path) -> None:
    split = data.record(read_run(run))["split"]
    for table in split["tables"]:
        columns = zip(*(row["cells"] for row in table["rows"]), strict=True)
        assert table["totals"] == [sum(cell["subjects"] for cell in column) for column in columns]


def test_classes_keep_the_order_of_the_study_and_strangers_come_last(run: Path) -> None:
    def turn(receipt: dict[str, Any]) -> None:
        for counts in receipt["counts"].values():
            counts["cell"] = {"stranger": {"subjects": 1, "groups": 1}, **dict(reversed(counts["cell"].items()))}

    edit(run / "split_receipt.json", turn)
    table = data.record(read_run(run))["split"]["tables"][1]
    assert [row["class"] for row in table["rows"]] == ["dyskeratotic", "koilocytotic", "parabasal", "stranger"]


def test_a_number_is_counted_in_parts(mixed: Path) -> None:
    def count(receipt: dict[str, Any]) -> None:
        receipt["counts"]["train"]["age"] = {"known": {"subjects": 17, "groups": 9}}

    edit(mixed / "split_receipt.json", count)
    page = report(mixed)
    assert page.has("data", "age: subjects by part and split")
    assert page.has("data", "skin_lesion: subjects by class and split")
