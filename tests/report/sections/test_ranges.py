"""Honest ranges: every stated level with what it holds, and what leaving the widest to a person gains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drifa.report.sections import ranges
from drifa.report.words import written
from drifa.runs.files import read_run
from tests.report.other_runs import edit, number_run
from tests.report_page import report


def test_every_level_of_every_mode_is_in_the_table(numbers: Path) -> None:
    page = report(numbers)
    for mode in json.loads((numbers / "evaluation.json").read_text())["tasks"]["age"]["modes"].values():
        for row in mode["calibration"]:
            assert page.has("ranges", f"{100 * row['level']:.0f}")
            assert page.has("ranges", f"{100 * row['coverage']:.1f}")
    metrics = json.loads((numbers / "metrics.json").read_text())["age"]["ensemble_mc"]
    error, surest = (written(name, metrics[name], "number", "years")["text"] for name in ("mae", "mae_at_80"))
    assert page.has("ranges", f"takes the mean error from {error} to {surest}")


def test_a_level_that_a_mode_does_not_state_is_a_dash(numbers: Path) -> None:
    def drop(evaluation: dict[str, Any]) -> None:
        del evaluation["tasks"]["age"]["modes"]["deterministic"]["calibration"][0]

    edit(numbers / "evaluation.json", drop)
    record = ranges.record(read_run(numbers))
    assert record is not None
    first = record["tasks"][0]["rows"][0]
    assert first["level"] == 0.5
    assert first["cells"][0] != "–"
    assert first["cells"][1] == "–"


def test_no_section_where_no_deviation_is_stated(numbers: Path) -> None:
    def drop(evaluation: dict[str, Any]) -> None:
        for mode in evaluation["tasks"]["age"]["modes"].values():
            mode["calibration"] = []
            mode["scatter"] = [[truth, value, None] for truth, value, _ in mode["scatter"]]

    edit(numbers / "evaluation.json", drop)
    page = report(numbers)
    assert "ranges" not in page.text
    assert not page.has("scope", "Let it abstain")
    assert not page.has("scatter", "standard deviation")


def test_before_the_evaluation_the_section_names_its_command(tmp_path: Path, run: Path) -> None:
    page = report(number_run(tmp_path / "trained", evaluated=False))
    for section in ("scatter", "ranges"):
        assert page.has(section, "evaluation.json is not in this run folder; drifa evaluate RUN writes it")
    assert "classes" not in page.text
    assert ranges.record(read_run(run)) is None
