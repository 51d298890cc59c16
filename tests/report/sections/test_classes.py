"""Which class is taken for which, and what the laziest answer would score."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.report.sections import classes
from drifa.runs.files import read_run


def test_each_row_of_the_table_of_confusion_shares_out_its_class(run: Path) -> None:
    record = classes.record(read_run(run))
    assert record is not None
    for task in record["tasks"]:
        for row in task["confusion"]:
            assert sum(count for count, _ in row["cells"]) == row["total"]
            assert sum(part for _, part in row["cells"]) == pytest.approx(1 if row["total"] else 0)


def test_only_tasks_of_classes_are_told(mixed: Path, numbers: Path) -> None:
    record = classes.record(read_run(mixed))
    assert record is not None
    assert [task["name"] for task in record["tasks"]] == ["skin_lesion", "cell"]
    assert classes.record(read_run(numbers)) is None
