"""``python -m drifa`` is the command line."""

import runpy
import sys

import pytest

import drifa


def test_it_is_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["drifa", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("drifa", run_name="__main__")
    assert not ended.value.code
    assert drifa.__version__ in capsys.readouterr().out
