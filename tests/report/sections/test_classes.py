"""Which class is taken for which, and what the laziest answer would score."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.report.judged import judged_tasks
from drifa.report.sections import classes
from drifa.runs.files import read_run
from tests.report.other_runs import edit


def test_the_floor_is_the_share_of_the_most_common_class(run: Path) -> None:
    cell = judged_tasks(read_run(run))[1]
    support = [sum(row) for row in cell.detail["confusion"]]
    told = classes.floor(cell)
    assert f"accuracy of {100 * max(support) / sum(support):.1f}\u00a0%" in told
    assert cell.classes[support.index(max(support))] in told
    assert "balanced accuracy of 33.3\u00a0%" in told


def test_no_floor_where_nobody_counted(run: Path) -> None:
    edit(run / "evaluation.json", lambda evaluation: evaluation["tasks"]["cell"]["modes"].clear())
    assert classes.floor(judged_tasks(read_run(run))[1]) == ""


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
