"""`drifa export`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.prediction import exported


def test_it_tells_files_and_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(*arguments: object) -> exported.Exported:
        assert arguments[:5] == (tmp_path, tmp_path / "out", "onnx", 17, True)
        return exported.Exported(tmp_path / "out", ("model.onnx",), 2e-7, False, ("not calibrated",))

    monkeypatch.setattr(exported, "export", export)
    words = ["export", str(tmp_path), "--out", str(tmp_path / "out"), "--opset", "17", "--draws"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    for told in (f"wrote {tmp_path / 'out' / 'model.onnx'}", "2e-07 (on noise", "note: not calibrated"):
        assert told in result.output
