"""Prediction against truth: a dot per answer, and what always answering the mean would cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drifa.report.sections import scatter
from drifa.runs.files import read_run
from tests.report.other_runs import edit
from tests.report_page import report


def test_a_dot_for_every_answer(numbers: Path) -> None:
    page = report(numbers)
    dots = [attributes for tag, attributes in page.tags if tag == "circle" and "many" in str(attributes["class"])]
    assert len(dots) == 120
    assert page.has("scatter", "truth, years")
    assert page.has("scatter", "one stated standard deviation")


def test_answers_without_a_number_are_left_out_and_counted(numbers: Path) -> None:
    def spoil(evaluation: dict[str, Any]) -> None:
        evaluation["tasks"]["age"]["modes"]["ensemble_mc"]["scatter"][:2] = [[None, 1.0, None], [1.0, None, 2.0]]

    edit(numbers / "evaluation.json", spoil)
    assert report(numbers).has("scatter", "118 of 120 are drawn")


def test_only_numbers_have_the_section(run: Path, volumes: Path) -> None:
    assert scatter.record(read_run(run)) is scatter.record(read_run(volumes)) is None
