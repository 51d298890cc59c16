"""A study survives the disk unchanged, and every fault in one is named with its row and its remedy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from drifa.data.study.schema import Modality, Task
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


def test_an_empty_group_means_the_subject_itself(study: Study) -> None:
    table = study.table.assign(group="")
    assert replace(study, table=table).table["group"].tolist() == table["subject"].tolist()


def test_subjects_do_not_depend_on_the_order_of_rows(study: Study) -> None:
    order = np.random.default_rng(0).permutation(len(study.table))
    shuffled = replace(study, table=study.table.iloc[order])
    one, other = study.subjects(), shuffled.subjects()
    for key in ("ids", "group", "split", "known", "strata", "present"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
    rows = one.image >= 0
    assert (study.table["path"].to_numpy()[one.image[rows]] == shuffled.table["path"].to_numpy()[other.image[rows]]).all()


def test_subjects_hold_rows_and_labels(study: Study) -> None:
    subjects = study.subjects()
    assert (subjects.modalities, subjects.tasks, len(subjects)) == (("photo", "scan"), ("kind",), 8)
    assert subjects.image.tolist() == [[n, n + 8 if n < 5 else -1] for n in range(8)]
    assert class_indices(subjects)[:, 0].tolist() == [0, 1, 0, 1, 0, 1, 0, -1]
    assert subjects.present.sum() == len(study.table)


def test_a_label_counts_only_where_one_of_its_modalities_is_present(study: Study) -> None:
    asked = replace(study, tasks={"kind": Task("kind", ClassTarget(("1", "01")), ("scan",))})
    assert class_indices(asked.subjects())[:, 0].tolist() == [0, 1, 0, 1, 0, -1, -1, -1]


def _set(row: int, column: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "missing column": (lambda t: t.rename(columns={"group": "groups"}), r"no column 'group' \(did you mean 'groups'\?\)"),
    "no task column": (lambda t: t.drop(columns="kind"), "no column 'kind'"),
    "no rows": (lambda t: t.iloc[:0], "has no rows"),
    "no subject": (_set(2, "subject", ""), "row 4 of study.csv has no subject"),
    "second image": (_set(1, "subject", "s0"), "subject 's0' has a second image of one modality in row 3 of study.csv"),
    "modality": (_set(3, "modality", "foto"), r"unknown modality 'foto' in row 5 of study.csv \(did you mean 'photo'\?\)"),
    "no such modality": (lambda t: t[t["modality"] == "photo"], "modality 'scan' has no images"),
    "label": (
        _set(4, "kind", "011"),
        r"label '011' in row 6 of study.csv is not a class of task 'kind' \(did you mean '01'\?\)",
    ),
    "class unused": (lambda t: t.assign(kind="1"), "class '01' of task 'kind' has no images"),
    "two labels": (_set(8, "kind", "01"), "subject 's0' has another label of task 'kind' in row 10 of study.csv"),
    "two groups": (_set(9, "group", "p0"), "subject 's1' is in another group in row 11 of study.csv"),
    "two splits": (_set(9, "split", "test"), "subject 's1' is in another split in row 11 of study.csv"),
    "cut group": (_set(5, "split", "val"), "group 'p4' in row 7 of study.csv is in two splits"),
    "split": (_set(5, "split", "trian"), r"unknown split 'trian' in row 7 of study.csv \(did you mean 'train'\?\)"),
    "subject and space": (_set(9, "subject", "s1 "), "subject 's1 ' in row 11 of study.csv differs from another"),
    "group and space": (_set(4, "group", " p0"), "group ' p0' in row 6 of study.csv differs from another"),
    "no path": (_set(6, "path", ""), "row 8 of study.csv has no path"),
    "absolute path": (_set(6, "path", "/etc/passwd"), "path '/etc/passwd' in row 8 of study.csv leaves"),
    "path upwards": (_set(6, "path", "a/../../b.png"), "path 'a/../../b.png' in row 8 of study.csv leaves"),
    "drive": (_set(6, "path", "C:/b.png"), "path 'C:/b.png' in row 8 of study.csv leaves"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_table_is_named_with_row_and_remedy(study: Study, tmp_path: Path, fault: str) -> None:
    change, message = FAULTS[fault]
    study.save(tmp_path)
    change(study.table.copy()).to_csv(tmp_path / "study.csv", index=False)
    with pytest.raises(DrifaError, match=message):
        Study.load(tmp_path)


@pytest.mark.parametrize("kind", ["object", "string", "category", "str"])
def test_a_text_is_the_same_whatever_the_type_of_its_column(study: Study, kind: str) -> None:
    table = study.table.copy()
    for name in ("subject", "group", "kind"):
        table[name] = table[name].where(table[name] != "", None).astype(object).astype(kind)
    pd.testing.assert_frame_equal(replace(study, table=table).table, study.table, check_dtype=False)


def test_spaces_around_an_id_are_part_of_it_where_no_other_id_looks_the_same(study: Study) -> None:
    table = study.table.assign(group=study.table["subject"] + " ")
    assert replace(study, table=table).table["group"].tolist() == table["group"].tolist()


def test_further_rows_with_the_same_fault_are_counted(study: Study) -> None:
    with pytest.raises(DrifaError, match="12 more such rows"):
        replace(study, table=study.table.assign(split="training"))


def test_the_paper_protocol_may_cut_groups(study: Study) -> None:
    table = study.table.copy()
    table.loc[table["subject"] == "s5", "split"] = "val"
    with pytest.raises(DrifaError, match="group 'p4'"):
        replace(study, table=table)
    assert (replace(study, table=table, split_protocol="paper").subjects().split == "val").sum() == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("drifa_study: 1", "drifa_study: 2", "study format '2'; this drifa reads format '1'"),
        ("drifa_study: 1\n", "", "add it if this is a drifa study"),
        ("licence:", "license:", r"unknown key 'license' in .*study.yaml \(did you mean 'licence'\?\)"),
        ("channels: 1", "channels: 2", "modality 'scan' of .* has channels: 2"),
        ("channels: 1", "chanels: 1", r"unknown key 'chanels' in modality 'scan' of .*did you mean 'channels'"),
        ("name: tiny\n", "", "has no key 'name'"),
        ("    - scan\n", "    - scam\n", r"names the unknown modality 'scam' \(did you mean 'scan'\?\)"),
        ("  kind:", "  split:", "task 'split' has the name of a column"),
        ("    - '01'\n", "", "task 'kind' has 1 classes"),
        ("name: tiny", "name: [tiny", "is not valid YAML"),
    ],
)
def test_every_fault_of_the_header_is_named(study: Study, tmp_path: Path, old: str, new: str, message: str) -> None:
    text = study.save(tmp_path).read_text()
    assert old in text
    (tmp_path / "study.yaml").write_text(text.replace(old, new))
    with pytest.raises(DrifaError, match=message):
        Study.load(tmp_path)


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


@pytest.mark.parametrize("name", ["a/b", "a.b", "a=b", ""])
def test_names_that_cannot_be_file_names_or_keys_are_refused(name: str) -> None:
    with pytest.raises(DrifaError, match="cannot name a modality"):
        Modality(name)


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
