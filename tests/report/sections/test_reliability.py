"""Honest probabilities: a figure per task of classes, and the bins behind it."""

from __future__ import annotations

from pathlib import Path

from drifa.report.sections import reliability
from drifa.runs.files import read_run
from tests.report.conftest import TASKS
from tests.report.other_runs import write
from tests.report_page import report


def test_every_image_is_in_one_bin_that_is_shown(run: Path) -> None:
    record = reliability.record(read_run(run))
    assert record is not None
    assert [sum(row["count"] for row in task["diagrams"][0]["rows"]) for task in record["tasks"]] == [120, 120]
    assert all(row["count"] for task in record["tasks"] for row in task["diagrams"][0]["rows"])
    assert [len(task["diagrams"]) for task in record["tasks"]] == [1, 1]


def test_only_tasks_of_classes_have_a_figure(mixed: Path, numbers: Path, volumes: Path) -> None:
    record = reliability.record(read_run(mixed))
    assert record is not None
    assert [task["name"] for task in record["tasks"]] == ["skin_lesion", "cell"]
    assert reliability.record(read_run(numbers)) is reliability.record(read_run(volumes)) is None


def test_before_the_evaluation_the_section_waits(run: Path) -> None:
    (run / "evaluation.json").unlink()
    assert reliability.record(read_run(run)) == {"evaluated": False, "tasks": []}


def test_the_diagram_after_calibration_stands_beside(run: Path) -> None:
    calibration = {"method": "temperature", "classes": TASKS["cell"], "temperature": 2.0}
    learned = {"tasks": {"cell": {"prior": None, "calibration": calibration}}, "mode": "ensemble_mc", "members": 2}
    write(run / "calibration.json", learned)
    record = reliability.record(read_run(run))
    assert record is not None
    assert [len(task["diagrams"]) for task in record["tasks"]] == [1, 2]
    assert report(run).has("reliability", "cell after calibration: share of right answers")
