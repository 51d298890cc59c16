"""`drifa reproduce`: a dry run shows the jobs of a table and writes nothing; what does not exist is told in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.errors import DrifaError


def test_a_dry_run_of_one_run_of_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["reproduce", "table7", "--dry-run", "--seeds", "2"])
    assert result.exit_code == 0, result.output
    assert "one run of 2 members, asked in the modes deterministic, mc, ensemble, ensemble_mc" in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tabel4"], "'tabel4' is no table of the paper"),
        (["table4", "--weights", "none.pt"], "none.pt is no file"),
        (["table4", "--protocol", "mine"], "protocol = 'mine'"),
        (["table4", "--scale", "huge"], "--scale 'huge'"),
        (["table4"], "no study at"),
        (["figure5"], "drifa reproduce figure5 --out runs/reproduce-table1"),
        (["figure5", "--out", "nowhere"], "nowhere holds no experiment"),
        (["figure5", "layer=layer2.0", "--out", "nowhere"], "figure5 takes no 'layer'"),
        (["figure4", "cases=0", "--out", "nowhere"], "cases=0 draws nothing"),
        (["all", "--scale", "huge"], "--scale 'huge' is none"),
        (["table4", "--every"], "table4 has no further rows"),
        (["tabel5", "--every"], "'tabel5' is no table of the paper"),
        (["authors"], "drifa reproduce authors RUN"),
        (["authors", "nowhere"], "nowhere"),
        (["authors", "nowhere", "train.epochs=1"], "nowhere is no configuration"),
        (["authors", "nowhere", "--seeds", "3"], "nowhere is no configuration"),
        (["authors", "nowhere", "--scale", "frozen"], "authors takes a run, or a configuration"),
        (["authors", "nowhere", "--dry-run"], "authors takes a run, or a configuration"),
    ],
)
def test_mistakes_are_told(words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["reproduce", *words])
    assert isinstance(result.exception, DrifaError)
    assert message in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_all_goes_through_every_table_and_one_that_fails_ends_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["reproduce", "all", "--dry-run", "--scale", "standard"])
    assert result.exit_code == 3
    assert result.output.count("no study at") == 4  # of tables 1, 4, 5 and 6
    assert "table7, D1+D2: " in result.output
    assert "left out, as there is no scale 'standard' of theirs: table2, table3" in result.output
