"""Setting cases aside: a figure per task of classes, a line per mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drifa.report.sections import coverage
from drifa.runs.files import read_run
from tests.report.other_runs import edit


def test_modes_without_a_curve_have_no_line(run: Path) -> None:
    def drop(evaluation: dict[str, Any]) -> None:
        evaluation["tasks"]["cell"]["modes"]["mc"]["risk_coverage"] = []

    edit(run / "evaluation.json", drop)
    record = coverage.record(read_run(run))
    assert record is not None
    lesion, cell = ([mode["key"] for mode in task["modes"]] for task in record["tasks"])
    assert lesion == ["ensemble_mc", "ensemble", "mc", "deterministic"]
    assert cell == ["ensemble_mc", "ensemble", "deterministic"]


def test_only_tasks_of_classes_have_a_figure(mixed: Path, numbers: Path, volumes: Path) -> None:
    record = coverage.record(read_run(mixed))
    assert record is not None
    assert [task["name"] for task in record["tasks"]] == ["skin_lesion", "cell"]
    assert coverage.record(read_run(numbers)) is coverage.record(read_run(volumes)) is None


def test_before_the_evaluation_the_section_waits(run: Path) -> None:
    (run / "evaluation.json").unlink()
    assert coverage.record(read_run(run)) == {"evaluated": False, "tasks": []}
