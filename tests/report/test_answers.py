"""One answer per subject: of the judged split, the most thorough mode, the way the model is used, all members together."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from drifa.report.answers import one_answer_each, who_answered
from drifa.runs.files import read_run
from tests.report_page import report


def test_cases_come_from_the_way_the_model_is_used(run: Path) -> None:
    """Rows of other conditions, splits, modes and single members are not mixed into the lists."""
    frame = pd.read_parquet(run / "predictions.parquet")
    strays = [
        frame.assign(subject="stray_alone", condition="alone"),
        frame.assign(subject="stray_split", split="val"),
        frame.assign(subject="stray_member", member=3),
    ]
    pd.concat([*strays, frame], ignore_index=True).assign(confidence=1.0).to_parquet(run / "predictions.parquet")
    assert "stray" not in report(run).source


def test_each_subject_answers_once(run: Path) -> None:
    table = one_answer_each("cell", read_run(run))
    assert table is not None
    assert table["subject"].is_unique
    assert set(table["mode"]) == {"ensemble_mc"}
    assert who_answered(table) == {"mode": "Ensemble + MC dropout", "network": None}


def test_only_modes_that_recorded_a_column_are_asked_for_it(run: Path) -> None:
    files = read_run(run)
    table = one_answer_each("cell", files, known="flip_rate")
    assert table is not None
    assert set(table["mode"]) == {"ensemble"}  # under dropout, nobody counted changed answers
    assert one_answer_each("no such task", files) is None


def test_the_first_member_speaks_where_none_answered_for_all(run: Path) -> None:
    frame = pd.read_parquet(run / "predictions.parquet").query("mode == 'mc'")
    pd.concat([frame.assign(member=1), frame]).to_parquet(run / "predictions.parquet")
    table = one_answer_each("cell", read_run(run))
    assert table is not None
    assert who_answered(table) == {"mode": "MC dropout", "network": 0}
