"""`drifa data leakage-cost` refuses what is no share before it reads anything."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.errors import DrifaError


def test_shares_are_numbers(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["data", "leakage-cost", "study", "x.yaml", "--share", "half", "--out", str(tmp_path)])
    assert isinstance(result.exception, DrifaError)
    assert "--share 'half' is no list of numbers" in str(result.exception)
