"""`drifa compare`: a dry run writes nothing; a finished experiment is told again at once, a failed job by its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.config import make_config
from drifa.data import make_phantom, prepare
from drifa.errors import DrifaError
from drifa.experiments.experiment import read_experiment
from tests.experiments.conftest import Write, phantom, write  # noqa: F401 - fixtures

EXPERIMENTS = sorted((Path(__file__).resolve().parents[2] / "configs" / "experiments").glob("*.yaml"))


def test_a_dry_run_shows_the_jobs_and_writes_nothing(
    write: Write,  # noqa: F811
    tmp_path: Path,
) -> None:
    result = CliRunner().invoke(app, ["compare", str(write()), "--out", str(tmp_path / "out"), "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "drifa-s0 concat-s0 drifa-s1 concat-s1" in result.output
    assert "primary: drifa - concat, balanced_accuracy of depth" in result.output
    assert "all of it: about" in result.output
    assert not (tmp_path / "out").exists()


def test_a_failed_job_is_told_by_the_exit_code(
    write: Write,  # noqa: F811
    tmp_path: Path,
) -> None:
    arms = {"concat": ["model.fusion=concat"], "single": ["model.fusion=single"]}  # which answers from one modality only
    path = write(arms=arms, seeds=[0], primary=None)
    result = CliRunner().invoke(app, ["compare", str(path), "--out", str(tmp_path / "out"), "--quiet"])
    assert result.exit_code == 3, result.output
    assert "single-s0 failed: fusion 'single' reads each task from one modality" in result.output
    assert "Nothing can be said yet" in result.output
    assert "concat-s0 done, about" in result.output
    assert (tmp_path / "out" / "comparison.html").is_file()


@pytest.mark.parametrize(
    ("seeds", "message"), [("many", "--seeds 'many'"), ("0", "--seeds 0 trains nothing"), ("-1", "--seeds -1")]
)
def test_a_number_of_seeds_is_a_number_that_trains_something(seeds: str, message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compare", "x.yaml", "--out", str(tmp_path), "--seeds", seeds])
    with pytest.raises(DrifaError, match=message):
        raise result.exception or AssertionError


@pytest.fixture(scope="session")
def studies(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the studies that the shipped experiments name."""
    folder = tmp_path_factory.mktemp("shipped")
    make_phantom(folder / "studies" / "phantom", subjects=60, image_size=32)
    for name in ("ham10000", "sipakmed"):
        prepare(name, data_root / name, folder / "studies" / name)
    for name, variant in (("brats2018", "brats2018_demo"), ("brats2013", "brats2013")):
        prepare("brats", data_root / "brats", folder / "studies" / name, options={"variant": variant})
    return folder


def test_there_are_shipped_experiments() -> None:
    assert len(EXPERIMENTS) > 3


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_arm_of_a_shipped_experiment_is_valid(path: Path) -> None:
    for arm in read_experiment(path).arms.values():
        make_config(arm)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_shipped_experiment_is_ready_to_run(path: Path, studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(studies)
    result = CliRunner().invoke(app, ["compare", str(path), "--out", "out", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert all(f"{arm}-s0" in result.output for arm in read_experiment(path).arms)
    assert "primary: " in result.output
    assert not (studies / "out").exists()
