"""`drifa serve`: what is asked of it reaches the server, and mistakes are one sentence before anything listens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

import drifa.serving
from drifa.cli.main import app
from drifa.errors import DrifaError
from drifa.runs.run import Run
from drifa.serving.run import listen


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that end as soon as they would listen."""
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)


def test_the_address_is_told(paired_run: Run, tmp_path: Path) -> None:
    token = tmp_path / "token.txt"
    token.write_text("0123456789abcdef")
    for words in ([], ["--host", "0.0.0.0", "--token-file", str(token)], ["--max-mb", "1", "--queue", "2", "--timeout", "5"]):
        result = CliRunner().invoke(app, ["serve", str(paired_run.folder), "--port", "0", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert "answers at http://" in result.output
        assert "not a medical device" in result.output


def test_mistakes_are_named(paired_run: Run, tmp_path: Path) -> None:
    token = tmp_path / "token.txt"
    token.write_text("short")
    with listen("127.0.0.1", 0) as taken:
        for words, message in (
            (["--host", "0.0.0.0"], "give --token-file"),
            (["--token-file", str(token)], "has 5 characters"),
            (["--port", str(taken.getsockname()[1])], "is in use"),
            (["train.epochs=3"], "cannot be set"),
        ):
            result = CliRunner().invoke(app, ["serve", str(paired_run.folder), *words])
            assert isinstance(result.exception, DrifaError), result.output
            assert message in str(result.exception)
    result = CliRunner().invoke(app, ["serve", str(tmp_path), "--port", "0"])
    assert isinstance(result.exception, DrifaError)


def test_without_the_extra_it_is_named(paired_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drifa, "serving", drifa.serving)  # put back as well
    for name in [name for name in sys.modules if name.startswith("drifa.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = CliRunner().invoke(app, ["serve", str(paired_run.folder)])
    assert isinstance(result.exception, DrifaError)
    assert "pip install 'drifa[serve]'" in str(result.exception)
