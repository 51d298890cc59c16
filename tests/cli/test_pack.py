"""`drifa pack` and `drifa card`."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.export.folder import card
from drifa.runs.run import Run
from tests.prediction.test_asking import files


def test_a_run_is_packed_described_and_asked(paired_run: Run, tmp_path: Path) -> None:
    run, out = str(paired_run.folder), tmp_path / "model"
    packed = CliRunner().invoke(app, ["pack", run, "--out", str(out)], catch_exceptions=False)
    assert packed.exit_code == 0
    assert f"wrote {out}" in packed.output
    assert CliRunner().invoke(app, ["card", run]).output == card(run) == (out / "README.md").read_text()
    CliRunner().invoke(app, ["card", run, "--out", str(tmp_path / "card.md")])
    assert (tmp_path / "card.md").read_text() == card(run)
    images = [f"--image={name}={path}" for name, path in files(paired_run, 1)[0].items()]
    answers = [CliRunner().invoke(app, ["predict", folder, *images]).output for folder in (run, str(out))]
    assert answers[0] == answers[1] != ""
