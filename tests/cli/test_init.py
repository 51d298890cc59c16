"""`drifa init`."""

from __future__ import annotations

import runpy
from pathlib import Path

from typer.testing import CliRunner

from drifa.cli.main import app


def test_it_tells_what_it_guessed_what_to_check_and_what_comes_next(tmp_path: Path) -> None:
    runpy.run_path(str(Path(__file__).parents[1] / "data" / "table" / "data.py"))["write"](tmp_path / "clinic", 20)
    result = CliRunner().invoke(app, ["init", str(tmp_path / "clinic"), "--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    assert {line.split()[0] for line in result.output.splitlines()} == {"guessed", "check", "wrote", "next"}
    assert f"wrote    {tmp_path / 'clinic.mapping.yaml'}" in result.output
