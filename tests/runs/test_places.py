"""A run that was moved finds its study and its cache, or says how to name them; one that was sent chooses no place to write."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from drifa.config import load_config, make_config
from drifa.data import make_phantom
from drifa.errors import DrifaError
from drifa.evaluation.evaluate import evaluate
from drifa.runs.places import AS_STORED, Places, allow_cache, cache_root, from_run
from drifa.runs.run import Run, write_run
from drifa.training.train import resume, train
from tests.studies import tiny_config


@pytest.fixture
def moved(paired_run: Run, tmp_path: Path) -> Path:
    """A run that neither lies beside its study any more nor remembers where that was."""
    folder = Path(shutil.copytree(paired_run.folder, tmp_path / "away" / "run"))
    model = folder / "model.json"
    model.write_text(model.read_text().replace(str(paired_run.folder.parent), "/gone"))
    return folder


def test_a_study_that_moved_with_its_run_is_found(paired_run: Run, moved: Path) -> None:
    here = Path(shutil.copytree(paired_run.folder.parent / "study", moved.parent / "study"))
    assert yaml.safe_load((moved / "config.yaml").read_text())["data"]["study"] == ["../study"]
    assert Run.open(moved).study().root == here
    assert load_config(moved / "config.yaml").data.studies == [str(here)]


def test_a_run_that_moved_alone_finds_the_study_where_it_was(paired_run: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(paired_run.folder, tmp_path / "a" / "b" / "run")
    assert Run.open(folder).study().root == paired_run.study().root


def test_a_study_that_is_nowhere_is_named_by_the_caller(paired_run: Run, moved: Path) -> None:
    with pytest.raises(DrifaError, match=r"say where it is with data\.study=FOLDER, or correct data\.study in .*config\.yaml"):
        Run.open(moved).study()
    there = str(paired_run.folder.parent / "study")
    assert Run.open(moved, Places((there,))).study().root == Path(there)
    with pytest.raises(DrifaError, match=r"not in /nowhere"):
        Run.open(moved, Places(("/nowhere",))).study()


def test_another_study_is_refused_by_the_receipt(paired_run: Run, moved: Path, tmp_path: Path) -> None:
    make_phantom(tmp_path / "other", subjects=40, image_size=32)
    with pytest.raises(DrifaError, match=r"is not the study that the run .* was trained on.*sha256"):
        Run.open(moved, Places((str(tmp_path / "other"),))).study()
    # One that lies where the own one lay is passed over, as long as there is another place to look.
    shutil.copytree(tmp_path / "other", moved.parent / "study")
    with pytest.raises(DrifaError, match="is not the study"):
        Run.open(moved).study()
    model = moved / "model.json"
    model.write_text(model.read_text().replace("/gone", str(paired_run.folder.parent)))
    assert Run.open(moved).study().root == paired_run.study().root


def test_another_study_is_judged_without_the_own_one(paired_run: Run, moved: Path, tmp_path: Path) -> None:
    other = make_phantom(tmp_path / "other", subjects=30, image_size=32, seed=3)
    with_own = evaluate(paired_run.folder, study=tmp_path / "other", split="all", out=tmp_path / "with")[1]
    without = evaluate(moved, study=tmp_path / "other", split="all", out=tmp_path / "without", subsets=True)[1]
    assert without == with_own
    other.select(["photo"]).save(tmp_path / "photos")
    assert set(evaluate(moved, study=tmp_path / "photos", split="all")[1]) == {"surface", "spread"}


def test_a_resumed_run_remembers_where_its_study_is(moved: Path, paired_run: Run) -> None:
    there = Path(shutil.copytree(paired_run.folder.parent / "study", moved.parent / "new"))
    run = resume(moved, quiet=True, places=Places((str(there),)))
    assert run.info.places == [str(there)]
    assert Run.open(moved).study().root == there


def test_a_stored_cache_is_used_only_where_the_training_wrote(
    paired_run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = paired_run.config.model_copy(deep=True)
    config.data.cache = str(tmp_path / "outside")
    run = write_run(tmp_path / "sent" / "run", config, paired_run.info)
    (tmp_path / "outside" / "runs").mkdir(parents=True)
    (tmp_path / "outside" / "runs" / "none").mkdir()
    with caplog.at_level(logging.WARNING, logger="drifa"):
        run.cache(paired_run.study())
    assert "data.cache=FOLDER" in caplog.text
    assert list((tmp_path / "outside").rglob("*.npy")) == []
    assert (tmp_path / "sent" / ".cache").is_dir()
    for token in ("", "../../x", "0" * 32):
        assert cache_root(run.folder, config, token, AS_STORED) == tmp_path / "sent" / ".cache"
    token = allow_cache(tmp_path / "outside")
    assert cache_root(run.folder, config, token, AS_STORED) == tmp_path / "outside"
    assert cache_root(run.folder, config, token, Places(cache="/else")) == Path("/else")


def test_a_cache_that_the_training_chose_serves_the_run(tmp_path: Path) -> None:
    make_phantom(tmp_path / "study", subjects=40, image_size=32)
    config = tiny_config(tmp_path / "study", epochs=1, members=1)
    config.data.cache = str(tmp_path / "cache")
    run = train(config, tmp_path / "runs" / "a", quiet=True)
    run.cache(run.study())
    assert list((tmp_path / "cache").glob("*.npy"))
    assert not (tmp_path / "runs" / ".cache").exists()


@pytest.mark.parametrize(
    ("settings", "word"),
    [([(["data", "flip"], 1)], "data.flip cannot be set"), ([(["data", "study"], 3)], "names no folder")],
)
def test_only_places_can_be_said(settings: list[tuple[list[str], Any]], word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        Places.of(settings)


def test_places_are_absolute_and_a_stored_study_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = Places.of([(["data", "study"], ["a", "/b"]), (["data", "cache"], "c")])
    assert told == Places((str(tmp_path / "a"), "/b"), str(tmp_path / "c"))
    config = make_config({"data": {"study": ["studies/a", str(tmp_path / "b")]}})
    assert from_run(tmp_path / "runs" / "r", config).data.study == ["../../studies/a", "../../b"]
