"""Reliability after calibration: of the same answers, only where the calibration was learned of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drifa.errors import DrifaError
from drifa.report.calibrated import calibrated_bins
from drifa.report.judged import judged_tasks
from drifa.runs.files import read_run
from tests.report.conftest import TASKS
from tests.report.other_runs import write


def bins(run: Path, temperature: float, **other: Any) -> list[dict[str, Any]]:
    calibration = {"method": "temperature", "classes": TASKS["cell"], "temperature": temperature}
    told = {"tasks": {"cell": {"prior": None, "calibration": calibration}}, "mode": "ensemble_mc", "members": 2}
    write(run / "calibration.json", told | other)
    files = read_run(run)
    return calibrated_bins(judged_tasks(files, "classes")[1], files)


def confidence(found: list[dict[str, Any]]) -> float:
    used = [row for row in found if row["count"]]
    return sum(row["confidence"] * row["count"] for row in used) / sum(row["count"] for row in used)


def test_a_temperature_of_one_changes_nothing_and_a_higher_one_takes_confidence(run: Path) -> None:
    same, hot = bins(run, 1.0), bins(run, 3.0)
    assert sum(row["count"] for row in same) == sum(row["count"] for row in hot) == 119  # one image has no label
    assert confidence(hot) < confidence(same) - 0.05


def test_a_calibration_of_other_answers_is_not_applied(run: Path) -> None:
    assert not bins(run, 2.0, mode="deterministic")
    assert not bins(run, 2.0, members=5)
    assert not bins(run, 2.0, tasks={"cell": {"calibration": None}})
    with pytest.raises(DrifaError, match=r"calibration\.json"):
        bins(run, 2.0, tasks={"cell": {"calibration": {"method": "temperature", "odd": 1}}})
