"""`drifa data …` as a process would run it."""

from __future__ import annotations

import pytest

from drifa.cli import main as cli
from tests.cli.verbs import Outcome, Run


@pytest.fixture
def drifa(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `drifa data …` as a process would."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["drifa", "data", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), told.out, told.err)

    return run
