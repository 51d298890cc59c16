"""Limits that the numbers show: a list that is there where they show some."""

from __future__ import annotations

from pathlib import Path

from drifa.report.limitations import limitations
from drifa.report.sections import limits
from drifa.runs.files import read_run
from tests.report_page import report


def test_every_sentence_is_on_the_page(run: Path) -> None:
    page = report(run)
    sentences = limitations(read_run(run))
    assert sentences
    assert all(page.has("limits", sentence) for sentence in sentences)


def test_numbers_that_are_not_there_show_none(run: Path) -> None:
    (run / "metrics.json").unlink()
    assert limits.record(read_run(run)) is None
    assert "limits" not in report(run).text
