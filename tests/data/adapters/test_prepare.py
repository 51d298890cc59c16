"""Adapters turn the published folder layouts into studies that count what is on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.data.adapters.prepare import ADAPTERS, prepare
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, all_files


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_prepared_study_is_complete_and_loads_again(fake: Folder, tmp_path: Path, name: str) -> None:
    study = prepare(name, fake(name), tmp_path / "study")
    loaded = Study.load(tmp_path / "study")
    loaded.check_files()
    assert loaded.table.astype(str).equals(study.table.astype(str))
    assert os.path.getsize(loaded.image_path(0)) > 0
    adapter = ADAPTERS[name]
    assert (study.source, study.licence, study.citation) == (adapter.source, adapter.licence, adapter.citation)
    assert loaded.group_meaning
    per_subject = len(study.modalities)
    for task in study.tasks.values():
        if task.target.kind == "classes":
            assert sum(adapter.counts[label] for label in task.classes) * per_subject == adapter.counts["images"]


def test_an_option_that_an_adapter_does_not_have_is_refused_with_the_nearest(fake: Folder, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"unknown option 'varient' of brats \(did you mean 'variant'\?\)"):
        prepare("brats", fake("brats"), tmp_path / "out", {"varient": "brats2020"})
    with pytest.raises(DrifaError, match=r"unknown option 'seed' of sipakmed; it takes none"):
        prepare("sipakmed", fake("sipakmed"), tmp_path / "out", {"seed": "1"})


def test_folders_without_the_dataset_are_refused(fake: Folder, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"unknown dataset 'ham1000' \(did you mean 'ham10000'\?\)"):
        prepare("ham1000", tmp_path, tmp_path / "out")
    with pytest.raises(DrifaError, match="no folder at"):
        prepare("ham10000", tmp_path / "none", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DrifaError, match=r"no HAM10000_metadata.csv below"):
        prepare("ham10000", empty, tmp_path / "out")
    for name, words in (
        ("sipakmed", "no cell"),
        ("nickparvar", "no image"),
        ("iqothnccd", "no slice"),
        ("brats", "no BraTS file"),
    ):
        with pytest.raises(DrifaError, match=f"{words} below"):
            prepare(name, empty, tmp_path / "out")
    folder = fake("ham10000")
    for path in all_files(folder):
        if path.name.startswith("ISIC"):
            path.unlink()
    with pytest.raises(DrifaError, match="none of the 35 images"):
        prepare("ham10000", folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_options_are_key_value_and_known(fake: Folder, tmp_path: Path) -> None:
    folder = str(fake("folders"))
    for words, message in (
        (["folders", folder, "grup=x"], r"unknown option 'grup' of folders \(did you mean 'group'\?\)"),
        (["folders", folder, "group"], "option 'group' of prepare folders is not of the form key=value"),
        (["folders", folder, "task=a", "task=b"], "comes twice"),
        (["table", folder], "is a folder; give the YAML file"),
        (["table", f"{folder}.yaml"], "no mapping file at"),
        (["table"], "needs the mapping's YAML file"),
        (["phantom", folder], "takes no"),
    ):
        result = CliRunner().invoke(app, ["data", "prepare", *words, "--out", str(tmp_path / "study")])
        assert isinstance(result.exception, DrifaError)
        with pytest.raises(DrifaError, match=message):
            raise result.exception
    assert not (tmp_path / "study").exists()


def test_a_study_is_replaced_on_demand_only_and_its_old_split_goes_with_it(fake: Folder, tmp_path: Path) -> None:
    folder, out = str(fake("folders")), tmp_path / "study"
    command = ["data", "prepare", "folders", folder, "--out", str(out)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert CliRunner().invoke(app, ["data", "split", str(out)]).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {"split.csv", "split_receipt.json"} < before.keys()
    for words in (command, ["data", "prepare", "phantom", "--out", str(out)]):
        result = CliRunner().invoke(app, words)
        assert "already holds a study" in str(result.exception)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert CliRunner().invoke(app, [*command, "--overwrite"]).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"study.yaml", "study.csv"}
    assert set(Study.load(out).table["split"]) == {""}


def test_a_study_that_cannot_be_replaced_stays(fake: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = fake("folders"), tmp_path / "study"
    study = prepare("folders", folder, out)
    study.table.to_parquet(out / "study.parquet")
    (out / "study.csv").unlink()
    assert CliRunner().invoke(app, ["data", "split", str(out)]).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pd.DataFrame, "to_parquet", full)
        with pytest.raises(OSError, match="no space"):
            prepare("folders", folder, out, overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    prepare("folders", folder, out, overwrite=True)
    assert {path.name for path in out.iterdir()} == {"study.yaml", "study.parquet"}
    assert set(Study.load(out).table["split"]) == {""}
