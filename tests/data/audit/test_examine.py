"""The audit on studies with known defects: each is found, is given its severity, and a clean study has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.data import Study
from drifa.data.audit import audit
from drifa.data.audit.findings import AUDIT_VERSION
from drifa.data.study.schema import Modality, Task
from drifa.data.targets import ClassTarget
from tests.data.audit.made import make, make_volumes, only, picture, rules
from tests.nifti_files import LPS, make_head, write_nifti


def test_a_clean_study_has_neither_errors_nor_warnings(tmp_path: Path) -> None:
    result = audit(make(tmp_path))
    assert rules(result, "error", "warning") == set()
    assert result.ok
    assert result.clusters == ()


def test_the_command_finds_mends_and_tells_by_its_exit_code(tmp_path: Path) -> None:
    study = make(tmp_path / "images")
    Image.fromarray(picture(0)).save(tmp_path / "images" / "002.png")
    folder, told = tmp_path / "study", tmp_path / "told.json"
    study.save(folder)
    run = CliRunner()

    def call(*words: str) -> tuple[int, str]:
        answer = run.invoke(app, ["data", "audit", str(folder), "-q", *words])
        return answer.exit_code, answer.output

    assert call("--json", str(told))[0] == 0
    assert json.loads(told.read_text()) == json.loads((folder / "audit.json").read_text())
    assert json.loads(told.read_text())["drifa_audit"] == AUDIT_VERSION
    code, output = call("--fix", "groups")
    assert code == 0
    assert "joined 1 group " in output
    mended = Study.load(folder)
    assert mended.table["group"].iloc[0] == mended.table["group"].iloc[2] == "000"
    assert (mended.table["note"] == "kept").all()
    assert "joined 0 groups" in call("--fix", "groups")[1]
    (tmp_path / "images" / "005.png").unlink()
    assert call()[0] == 1


@pytest.mark.parametrize("words", [["nowhere"], ["nowhere", "--fix", "everything"]])
def test_bad_use_is_told_apart_from_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from drifa.cli import main as cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["drifa", "data", "audit", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_volumes_are_audited_too(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    grey = make_head()[0]
    write_nifti(tmp_path / "1_t1.nii.gz", np.where(grey > grey.mean(), grey, np.nan).astype(np.float32))
    write_nifti(tmp_path / "2_t2.nii.gz", grey + 50, LPS @ np.diag([1.0, 1.0, 2.0, 1.0]))
    for name in ("3_t1", "3_t2"):
        write_nifti(tmp_path / f"{name}.nii.gz", grey + 99)
    result = audit(study)
    assert only(result, "unreadable").files == ("1_t1.nii.gz",)
    assert only(result, "grids_differ").files == ("2_t1.nii.gz", "2_t2.nii.gz")
    assert only(result, "exact_duplicates").data["members"] == [["3_t1.nii.gz", "3_t2.nii.gz"]]
    assert "NIfTI float32" in only(audit(study.select(["t2"])), "image_statistics").data["encodings"]


def test_good_masks_and_volumes_have_neither_errors_nor_warnings(tmp_path: Path) -> None:
    assert rules(audit(make_volumes(tmp_path)), "error", "warning") <= {"near_duplicates"}


def test_rows_of_a_tabular_modality_are_passed_over(tmp_path: Path) -> None:
    study = make(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    paths = [f"{kind}/{path}" for kind, path in zip(study.table["kind"], study.table["path"], strict=True)]
    for name, path in zip(study.table["path"], paths, strict=True):
        (tmp_path / name).rename(tmp_path / path)
    study = replace(study, table=study.table.assign(path=paths))
    plain = audit(study)
    twice = pd.concat([study.table, study.table.assign(modality="record", path="")], ignore_index=True).assign(age="40")
    record = Modality("record", 1, ("age",))
    result = audit(replace(study, table=twice, modalities={**study.modalities, "record": record}))
    assert (result.images, result.clusters) == (60, ())
    assert result.findings == plain.findings


@pytest.mark.slow
def test_the_real_folders_give_up_their_known_defects(real: Callable[[str], Path], tmp_path: Path) -> None:
    """A slice of Nickparvar: twins across its official split, and an audit that can be written as JSON."""
    folder = real("nickparvar")
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/notumor/*.jpg"))[::5]
    paths += sorted(path.relative_to(folder).as_posix() for path in folder.glob("Testing/pituitary/*.jpg"))[::5]
    table = pd.DataFrame({"subject": paths, "modality": "mri", "path": paths, "group": ""})
    table["split"] = ["test" if path.startswith("Testing") else "train" for path in paths]
    table["tumour"] = [path.split("/")[1] for path in paths]
    tasks = {"tumour": Task("tumour", ClassTarget(("notumor", "pituitary")), ("mri",))}
    result = audit(Study("nickparvar", folder, table, {"mri": Modality("mri", 1)}, tasks))
    assert "duplicates_across_splits" in rules(result, "error")
    assert result.save(tmp_path / "audit.json").stat().st_size > 0
