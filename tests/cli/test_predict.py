"""`drifa predict --engine ray`: the parts of a table come together, and mistakes are one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.errors import DrifaError
from drifa.prediction import parts
from drifa.runs.run import Run


def test_parts_of_a_table_come_together_as_csv_and_tell_what_failed(
    paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = paired_run.study()
    subjects = study.subjects()
    rows = [(subjects.ids[who], "photo", study.image_path(int(subjects.image[who][0]))) for who in range(3)]
    table = tmp_path / "cases.csv"
    table.write_text(
        "subject,modality,path\n" + "".join(f"{','.join(map(str, row))}\n" for row in [*rows, ("lost", "photo", "no.png")])
    )

    def here(items: list[dict[str, Any]], arguments: tuple[Any, ...], *_: object) -> None:
        for item in items:
            parts.Worker(*arguments)({"part": [item["part"]], "rows": [item["rows"]]})

    monkeypatch.setattr(parts, "_ask", here)
    monkeypatch.setattr(parts, "find_spec", lambda name: name)
    words = ["predict", str(paired_run.folder), "--table", str(table), "--engine", "ray", "--out", str(tmp_path / "parts")]
    result = CliRunner().invoke(app, [*words, "--csv", str(tmp_path / "answers.csv"), "--part", "3", "--quiet"])
    assert result.exit_code == 3, result.output
    assert "1 of 4 subjects without an answer" in result.output
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert set(answers["subject"]) == {*(row[0] for row in rows), "lost"}
    assert len(list((tmp_path / "parts").glob("*.parquet"))) == 2
    for wrong, message in ((words[:-2], "--out FOLDER"), ([*words[:4], "--part", "3"], "--part go with --engine ray")):
        refused = CliRunner().invoke(app, wrong)
        assert isinstance(refused.exception, DrifaError)
        assert message in str(refused.exception)
