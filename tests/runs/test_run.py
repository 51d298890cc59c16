"""A run folder is opened as it was written, and refused where it is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from drifa.errors import DrifaError
from drifa.runs.run import Run


def test_a_run_of_another_version(paired_run: Run, tmp_path: Path) -> None:
    shutil.copytree(paired_run.folder, tmp_path / "run")
    path = tmp_path / "run" / "model.json"
    path.write_text(path.read_text().replace('"drifa_run": 2', '"drifa_run": 7'))
    with pytest.raises(DrifaError, match="run format 7"):
        Run.open(tmp_path / "run")
