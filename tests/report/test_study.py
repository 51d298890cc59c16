"""The study of a run: found with its split, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from drifa.report import write_report
from drifa.report.study import is_phantom, with_study
from drifa.runs.files import read_run
from drifa.runs.run import Run


def test_a_run_without_its_study_has_none(run: Path, tmp_path: Path) -> None:
    files = with_study(read_run(run))
    assert files.study is None
    assert "config.yaml: key 'data' is missing" in files.no_study
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.yaml").write_text("train: {}\n")
    assert with_study(read_run(tmp_path / "bare")).no_study == "model.json is not in the run folder"


def test_members_that_are_not_trained_are_told_in_the_words_of_the_run(paired_run: Run, tmp_path: Path) -> None:
    assert with_study(read_run(paired_run.folder)).unfinished == ""
    folder = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    (folder / "members" / "0" / "config.json").unlink()
    told, warned = Run.open(folder).told_of_members(), list[str]()
    assert with_study(read_run(folder)).unfinished == told
    assert f"drifa train --resume {folder}" in told
    assert told in write_report(folder, warn=warned.append).read_text(encoding="utf-8").replace("&#39;", "'")
    assert told in warned


def test_the_built_in_study_is_known(paired_run: Run) -> None:
    files = with_study(read_run(paired_run.folder))
    assert files.study is not None
    assert files.no_study == ""
    assert is_phantom(files.study)
