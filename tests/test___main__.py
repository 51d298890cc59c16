"""``python -m drifa`` is the command line."""

import runpy
import sys
from types import ModuleType

import pytest

import drifa


def test_it_is_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["drifa", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("drifa", run_name="__main__")
    assert not ended.value.code
    assert drifa.__version__ in capsys.readouterr().out


def test_an_interrupt_while_it_loads_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "drifa.cli.main", Loading("drifa.cli.main"))
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("drifa", run_name="__main__")
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
