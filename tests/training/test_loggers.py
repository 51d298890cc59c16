"""Curves are written where they are asked for, in the folder of the member, and nowhere else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from drifa.config import make_config
from drifa.errors import DrifaError
from drifa.runs.run import Run
from drifa.training.loggers import EXTRAS, make_loggers
from drifa.training.train import train
from tests.studies import tiny_config


def trained(study: Path, folder: Path, logger: list[str]) -> Run:
    return train(tiny_config(study, epochs=1, members=2, logger=logger), folder / "runs" / "run", quiet=True)


def test_csv_alone_turns_the_others_off(study: Path, tmp_path: Path) -> None:
    run = trained(study, tmp_path, ["csv"])
    for number in range(2):
        assert (run.member(number) / "history.csv").is_file()
        assert not (run.member(number) / "tensorboard").exists()


def test_one_that_comes_twice_is_made_once(tmp_path: Path) -> None:
    loggers = make_loggers(["tensorboard", "csv", "tensorboard"], tmp_path, 0)
    assert [Path(str(logger.log_dir)) for logger in loggers] == [tmp_path / "tensorboard"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXTRAS)
def test_each_member_has_a_folder_of_its_own(name: str, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(name, reason=f"pip install drifa[{name}] to run this test")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = trained(study, tmp_path, [name, "tensorboard"])
    for number in range(2):
        assert [path for path in (run.member(number) / name).rglob("*") if path.is_file() and path.stat().st_size]
        assert list((run.member(number) / "tensorboard").glob("events*"))
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("name", EXTRAS)
def test_one_that_is_not_installed_is_told_before_anything_is_written(
    name: str, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda one, *more: None if one == name else found(one, *more))
    with pytest.raises(DrifaError, match=rf"pip install \"drifa\[{name}\]\""):
        trained(study, tmp_path, [name])
    assert not (tmp_path / "runs").exists()


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(DrifaError, match="logger"):
        make_config({"data": {"study": "x"}, "train": {"logger": ["wanb"]}})
