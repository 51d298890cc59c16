"""Honest probabilities: a figure per task of classes, and the bins behind it."""

from __future__ import annotations

from pathlib import Path

from drifa.report.sections import reliability
from drifa.runs.files import read_run


def test_every_image_is_in_one_bin_that_is_shown(run: Path) -> None:
    record = reliability.record(read_run(run))
    assert record is not None
    assert [sum(row["count"] for row in task["bins"]) for task in record["tasks"]] == [120, 120]
    assert all(row["count"] for task in record["tasks"] for row in task["bins"])


def test_only_tasks_of_classes_have_a_figure(mixed: Path, numbers: Path, volumes: Path) -> None:
    record = reliability.record(read_run(mixed))
    assert record is not None
    assert [task["name"] for task in record["tasks"]] == ["skin_lesion", "cell"]
    assert reliability.record(read_run(numbers)) is reliability.record(read_run(volumes)) is None


def test_before_the_evaluation_the_section_waits(run: Path) -> None:
    (run / "evaluation.json").unlink()
    assert reliability.record(read_run(run)) == {"evaluated": False, "tasks": []}
