"""Every statement has one place on the page, with its items; what nobody said is told as not stated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from drifa.data.study.reporting import STATEMENTS
from drifa.report.statements import statements
from drifa.runs.files import read_run


def test_every_statement_has_one_place(run: Path) -> None:
    files = replace(read_run(run), study=SimpleNamespace(reporting={"ethics": "Waived."}))  # type: ignore[arg-type]
    rows = [row for about in ("scope", "data", "statements") for row in statements(files, about)]
    assert [row["words"] for row in rows] == [one.words for one in STATEMENTS.values()]
    assert [row["text"] for row in rows if row["text"]] == ["Waived."]
    assert all(row["checklist"] for row in rows)


def test_without_a_study_nothing_is_stated(run: Path) -> None:
    assert {row["text"] for row in statements(read_run(run), "data")} == {""}
