"""A study survives the disk unchanged, and a part of it keeps what belongs to it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from drifa.data.study.schema import Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError
from tests.studies import class_indices


def test_saving_and_loading_returns_the_same_study(study: Study, tmp_path: Path) -> None:
    yaml_path = study.save(tmp_path / "saved")
    for place in (yaml_path, yaml_path.parent):
        loaded = Study.load(place)
        pd.testing.assert_frame_equal(loaded.table, study.table, check_dtype=False)
        for key in ("name", "root", "modalities", "tasks", "source", "licence", "citation", "notes", "split_protocol"):
            assert getattr(loaded, key) == getattr(study, key)


def test_texts_that_look_like_numbers_or_booleans_stay_texts(study: Study, tmp_path: Path) -> None:
    classes = ("no", "01", "NA")
    label = dict(zip(study.table["subject"].unique(), [*classes, *classes, "", ""], strict=True))
    table = study.table.assign(kind=study.table["subject"].map(label))
    written = replace(study, notes="", table=table, tasks={"kind": Task("kind", ClassTarget(classes), ("photo", "scan"))})
    written.save(tmp_path)
    yaml_path = tmp_path / "study.yaml"
    yaml_path.write_text(yaml_path.read_text().replace("'", "").replace('"', ""))  # as a person would write it
    loaded = Study.load(tmp_path)
    assert loaded.tasks["kind"].classes == classes
    assert loaded.table["kind"].tolist() == table["kind"].tolist()
    assert set(loaded.table["age"]) == {"045"}


def test_parquet_is_read_and_kept_where_it_stands(study: Study, tmp_path: Path) -> None:
    study.save(tmp_path)
    study.table.assign(kind="", age=45).assign(kind=study.table["kind"]).to_parquet(tmp_path / "study.parquet")
    loaded = Study.load(tmp_path)
    assert loaded.table["age"].tolist() == [45] * len(loaded.table)
    replace(loaded, table=loaded.table.assign(split="train")).save(tmp_path)
    assert set(Study.load(tmp_path).table["split"]) == {"train"}


def test_a_study_folder_with_its_images_inside_can_be_moved(study: Study, tmp_path: Path) -> None:
    replace(study, root=tmp_path / "old" / "pictures").save(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    assert Study.load(tmp_path / "new").root == tmp_path / "new" / "pictures"


def test_a_relative_root_outside_the_folder_stays_relative_when_the_study_is_saved_again(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "old" / "study"
    written = replace(study, root=tmp_path / "old" / "pictures").save(folder)
    assert yaml.safe_load(written.read_text())["root"] == str(tmp_path / "old" / "pictures")
    written.write_text(written.read_text().replace(f"root: {tmp_path / 'old' / 'pictures'}", "root: ../pictures"))
    loaded = Study.load(folder)
    loaded.save(folder)
    (tmp_path / "old").rename(tmp_path / "new")
    assert Study.load(tmp_path / "new" / "study").root == tmp_path / "new" / "pictures"
    # Another root is another matter.
    replace(loaded, root=tmp_path / "elsewhere").save(tmp_path / "new" / "study")
    assert Study.load(tmp_path / "new" / "study").root == tmp_path / "elsewhere"


@pytest.mark.parametrize(("content", "message"), [(None, "is missing"), ("", "is empty"), ('subject\n"a', "cannot be read")])
def test_a_table_that_is_none_is_refused(study: Study, tmp_path: Path, content: str | None, message: str) -> None:
    study.save(tmp_path)
    (tmp_path / "study.csv").unlink()
    if content is not None:
        (tmp_path / "study.csv").write_text(content)
    with pytest.raises(DrifaError, match=message):
        Study.load(tmp_path)


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="no study at"):
        Study.load(tmp_path)


def test_missing_images_are_counted_and_the_first_ones_named(phantom: Study, study: Study) -> None:
    phantom.check_files()
    with pytest.raises(DrifaError, match=r"13 of 13 image files .*photo/s0.png, photo/s1.png, photo/s2.png, …"):
        study.check_files()


def test_selecting_a_modality_keeps_the_labels_of_its_subjects(study: Study) -> None:
    scan = study.select(["scan"])
    # Labels stood on the photo rows only.
    assert class_indices(scan.subjects())[:, 0].tolist() == [0, 1, 0, 1, 0]
    assert scan.tasks["kind"].modalities == ("scan",)
    assert tuple(study.select(["scan", "photo"]).modalities) == ("scan", "photo")
    with pytest.raises(DrifaError, match=r"no modality 'scam' \(did you mean 'scan'"):
        study.select(["scam"])


def test_selecting_drops_the_tasks_that_cannot_be_answered(phantom: Study) -> None:
    assert tuple(phantom.select(["photo"]).tasks) == ("surface", "spread")


def test_the_data_package_imports_without_pandas_and_torch() -> None:
    code = "import sys, drifa.data; print([name for name in ('pandas', 'torch', 'PIL') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
