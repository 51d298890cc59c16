"""The study of a run: found with its split, or not at all."""

from __future__ import annotations

from pathlib import Path

from drifa.report.study import is_phantom, study_of
from drifa.runs.files import read_run
from drifa.runs.run import Run


def test_a_run_without_its_study_has_none(run: Path, tmp_path: Path) -> None:
    assert study_of(read_run(run)) is None
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.yaml").write_text("train: {}\n")
    assert study_of(read_run(tmp_path / "bare")) is None


def test_the_built_in_study_is_known(paired_run: Run) -> None:
    study = study_of(read_run(paired_run.folder))
    assert study is not None
    assert is_phantom(study)
