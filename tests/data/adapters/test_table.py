"""A table of one's own becomes a study, wide or long, and every cell that cannot be used is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from drifa.data.adapters.prepare import prepare, prepare_table
from drifa.data.splits.split import split
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, rewritten, set_cell, set_keys, to_long


def test_a_wide_table_becomes_a_study_with_its_extra_columns(fake: Folder, tmp_path: Path) -> None:
    folder = fake("table")
    study = prepare("table", folder / "mapping.yaml", tmp_path / "study")
    Study.load(tmp_path / "study").check_files()
    subjects = study.subjects()
    source = pd.read_csv(folder / "cases.csv", dtype=str, keep_default_na=False).set_index("case")
    assert subjects.ids.tolist() == source.index.tolist()
    assert subjects.group.tolist() == source["patient"].tolist()
    assert subjects.present.tolist() == [[path != "" for path in row] for row in source[["photo_file", "us_file"]].to_numpy()]
    names = {"B": "benign", "M": "malignant", "": ""}
    per_case = study.table.drop_duplicates("subject").set_index("subject")
    assert per_case["diagnosis"].to_dict() == {case: names[value] for case, value in source["dx"].items()}
    assert study.tasks["diagnosis"].classes == ("benign", "malignant")
    assert study.tasks["site"].classes == ("arm", "back")
    assert per_case["age"].to_dict() == source["age"].to_dict()
    assert not {"case", "photo_file", "dx", "where"} & set(study.table.columns)


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".parquet"])
def test_long_and_wide_tables_of_any_kind_say_the_same(fake: Folder, suffix: str) -> None:
    folder = fake("table")
    wide = prepare_table(folder / "mapping.yaml").table
    long = prepare_table(rewritten(folder, to_long, suffix)).table
    order = ["subject", "modality"]
    columns = wide.columns.tolist()
    assert long.sort_values(order)[columns].reset_index(drop=True).equals(wide.sort_values(order).reset_index(drop=True))


def test_whole_numbers_of_a_parquet_file_stay_whole(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        return table.assign(patient=[1, 1, 2, 2, 3, 3], age=[41, 42, None, 44, 45, 46])

    table = prepare_table(rewritten(fake("table"), change, ".parquet")).table
    assert set(table["group"]) == {"1", "2", "3"}
    assert set(table["age"]) == {"41", "42", "", "44", "45", "46"}


def test_absolute_paths_and_backslashes_below_the_root_are_made_relative(fake: Folder) -> None:
    folder = fake("table")
    before = prepare_table(folder / "mapping.yaml").table

    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        absolute = [f"{(folder / 'images').resolve()}/{path}" for path in table["photo_file"]]
        return table.assign(photo_file=absolute, us_file=table["us_file"].str.replace("/", "\\"))

    assert prepare_table(rewritten(folder, change)).table.equals(before)


def test_absolute_paths_that_reach_the_root_through_a_link_are_below_it(fake: Folder, tmp_path: Path) -> None:
    folder = fake("table")
    before = prepare_table(folder / "mapping.yaml").table
    (tmp_path / "link").symlink_to(folder)

    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        return table.assign(photo_file=[f"{tmp_path}/link/images/{path}" for path in table["photo_file"]])

    assert prepare_table(rewritten(folder, change)).table.equals(before)


def test_splits_masks_and_values_without_a_label(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["split"] = "fold"
        mapping["tasks"]["lesion"] = {"column": "mask", "regions": {"all": [1, 2]}, "modalities": ["photo"]}
        mapping["tasks"]["diagnosis"]["classes"] = {"B": "benign", "M": "malignant", "?": ""}
        fold = ["train", "train", "val", "val", "test", "test"]
        return table.assign(fold=fold, mask=table["photo_file"], dx=["B", "M", "?", "B", "M", "?"])

    study = prepare_table(rewritten(fake("table"), change))
    assert set(study.subjects().split) == {"train", "val", "test"}
    assert study.table["official"].equals(study.table["split"])
    assert study.tasks["lesion"].target.kind == "regions"
    assert [path is not None and path.is_file() for path in study.mask_paths("lesion")] == [True] * 6
    assert (~study.subjects().known_of("diagnosis")).sum() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_cell(3, "photo_file", "../cases.csv"), r"path '\.\./cases.csv' in row 3 of cases.csv leads out of"),
        (set_cell(3, "photo_file", "/etc/hostname"), r"path '/etc/hostname' in row 3 of cases.csv leads out of"),
        (set_cell(4, "photo_file", "photo/none.png"), r"none.png cannot be read \(No such file.*; row 4 of cases.csv names it"),
        (set_cell(4, "photo_file", "photo/loop.png"), r"loop.png is a circle of links; row 4 of cases.csv"),
        (set_cell(5, "case", ""), "row 5 of cases.csv has nothing in the subject column 'case'"),
        (
            set_cell(5, "case", "C1"),
            r"'C1' has a second image of modality 'photo' in row 5 .*\(the first is in row 2\)",
        ),
        (set_cell(3, "dx", "b"), r"label 'b' in row 3 of cases.csv is not listed for task 'diagnosis' \(did you mean 'B'\?\)"),
        (set_keys(group="patiens"), r"maps group to the column 'patiens', which cases.csv lacks \(did you mean 'patient'\?\)"),
        (set_keys(split="dx"), "split 'M' in row 2 of cases.csv is none of train, val, test"),
        (set_keys(modalities={"photo": {"path": "photo_file", "channels": "2"}}), "has channels: 2; use 1"),
        (
            set_keys(tasks={"age": {"column": "dx"}}),
            "has a column 'age' that mapping.yaml does not map.*; rename the task 'age' in mapping.yaml, or the column",
        ),
        (
            set_keys(tasks={"d": {"column": "dx", "modalities": ["photos"]}}),
            r"unknown modality 'photos' \(did you mean 'photo'\?\)",
        ),
        (set_keys(tasks={"d": {"column": "dx", "classes": ["B", "M", "B"]}}), "task 'd' lists the class 'B' twice"),
    ],
)
def test_a_table_that_is_wrong_is_named_with_row_and_remedy(fake: Folder, change: Callable[..., None], message: str) -> None:
    folder = fake("table")
    (folder / "images" / "photo" / "loop.png").symlink_to("loop.png")
    with pytest.raises(DrifaError, match=message):
        prepare_table(rewritten(folder, change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_cell(3, "where", "NaN"), "task 'site' has the label 'NaN' in cases.csv: a missing value"),
        (set_cell(3, "where", "Arm "), "task 'site' has the labels 'Arm' and 'arm' in cases.csv: one class"),
        (set_cell(3, "where", "Back"), "task 'site' has the labels 'Back' and 'back'"),
        (set_cell(3, "photo_file", "photo"), "photo is not a file; row 3 of cases.csv names it"),
        (set_cell(3, "photo_file", "a\0b"), "cannot be a path; row 3 of cases.csv names it"),
        (set_keys(tasks={"path": {"column": "dx"}}), "task 'path' of .*mapping.yaml has the name of a column"),
    ],
)
def test_cells_that_would_pass_for_something_else_are_named(fake: Folder, change: Callable[..., None], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        prepare_table(rewritten(fake("table"), change))


def test_a_published_split_without_a_val_keeps_its_test_and_gets_one_from_train(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["split"] = "fold"
        del mapping["group"]
        return table.assign(fold=["train", "train", "train", "train", "test", "test"])

    study = prepare_table(rewritten(fake("table"), change))
    assert "4 train, 0 val, 2 test subjects. It has no val: `drifa data split --protocol official` cuts one" in study.notes
    made, receipt = split(study, "official", fractions=(0.5, 0.25, 0.25))
    assert receipt["note"] == "the published split has no val; this one was cut from its train"
    before, after = study.subjects().split, made.subjects().split
    assert ((before == "test") == (after == "test")).all()
    assert set(after) == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("fold", "told", "then"),
    [
        (
            ["train", "train", "val", "val", "train", "train"],
            "It has no test: ",
            "has no test set; use the protocol strict",
        ),
        (["test", "test", "val", "val", "test", "test"], "It has no train: ", "has no train set; use the protocol strict"),
        (["train", "", "val", "val", "test", "test"], "1 subject has none: fill", "have no published split in the column"),
    ],
)
def test_what_a_published_split_lacks_is_told_and_refused_with_the_remedy(
    fake: Folder, fold: list[str], told: str, then: str
) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["split"] = "fold"
        del mapping["group"]
        return table.assign(fold=fold)

    study = prepare_table(rewritten(fake("table"), change))
    assert told in study.notes
    with pytest.raises(DrifaError, match=then):
        split(study, "official")


def test_a_published_split_that_cuts_a_patient_is_kept_for_the_protocol_that_clears_it(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["split"] = "fold"
        return table.assign(fold=["train", "test", "train", "train", "val", "test"], patient=["p", "p", "q", "q", "r", "s"])

    study = prepare_table(rewritten(fake("table"), change))
    assert set(study.table["split"]) == {""}
    assert "1 group is in two parts of it" in study.notes
    made, receipt = split(study, "official")
    subjects = made.subjects()
    assert [str(one) for one in subjects.split] == ["unused", "test", "train", "train", "val", "test"]
    assert receipt["groups_in_two_splits"] == 0


def test_parts_of_a_published_split_that_nobody_trains_on_stay_as_they_are(fake: Folder) -> None:
    fold = ["train", "train", "val", "test", "unused", "calibration"]

    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["split"] = "fold"
        return table.assign(fold=fold, patient=["p", "q", "r", "s", "t", "q"])

    made, _ = split(prepare_table(rewritten(fake("table"), change)), "official")
    assert [str(one) for one in made.subjects().split] == ["train", "unused", "val", "test", "unused", "calibration"]


def test_unused_subjects_are_a_split_of_a_table_too(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["split"] = "fold"
        return table.assign(fold=["train", "train", "val", "test", "unused", "unused"], patient=table["case"])

    assert set(prepare_table(rewritten(fake("table"), change)).table["split"]) == {"train", "val", "test", "unused"}


def test_rows_keep_their_number_behind_blank_lines_and_cells_of_two_lines(fake: Folder) -> None:
    folder = fake("table")
    lines = (folder / "cases.csv").read_text().splitlines()
    lines = [line + (",note" if row == 0 else ',"two\nlines"' if row == 2 else ",") for row, line in enumerate(lines)]
    lines.insert(1, "")
    lines[5] = lines[5].replace("photo/", "none/")
    (folder / "cases.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DrifaError, match="row 6 of cases"):
        prepare_table(folder / "mapping.yaml")


def test_a_table_that_is_not_there_is_named_with_the_key_that_names_it(fake: Folder) -> None:
    mapping = fake("table") / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("cases.csv", "case.csv"))
    with pytest.raises(DrifaError, match=r"case\.csv cannot be read .*; correct 'table' in the mapping"):
        prepare_table(mapping)


def test_an_id_is_one_however_it_is_spelled_and_the_notes_say_so(fake: Folder) -> None:
    ids = ["12", "12.0", "\u00e9", "e\u0301", "P\u00a01", "P 1\ufeff"]

    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        return table.assign(patient=ids, where=["1.0", "0", "1", "0.0", "1", "0"])

    study = prepare_table(rewritten(fake("table"), change))
    assert study.subjects().group.tolist() == ["12", "12", "\u00e9", "\u00e9", "P 1", "P 1"]
    assert study.tasks["site"].classes == ("0", "1")
    assert "3 ids of the column 'patient' are written in two ways, such as '12.0' for '12'" in study.notes
    ids[:] = ["12", "12,0", '="12"', "'12", "P 1", '="P 1"']  # as spreadsheets of many countries export them
    study = prepare_table(rewritten(fake("table"), change))
    assert study.subjects().group.tolist() == ["12"] * 4 + ["P 1"] * 2


def test_words_for_a_missing_patient_make_no_group_and_are_counted(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        return table.assign(patient=["NA", "NA", "unknown", "", "P1", "P1"])

    study = prepare_table(rewritten(fake("table"), change))
    assert study.subjects().group.tolist() == ["C1", "C2", "C3", "C4", "P1", "P1"]
    assert "4 subjects without a group in the column 'patient': each is a group of its own" in study.notes
    patients = ["-1", "-1", "-999", "keine Angabe", "P1", "P1"]
    study = prepare_table(rewritten(fake("table"), lambda table, mapping: table.assign(patient=patients)))
    assert study.subjects().group.tolist() == ["C1", "C2", "C3", "C4", "P1", "P1"]
    with pytest.raises(DrifaError, match=r"row 3 of cases.csv has nothing but 'nan' in the subject column 'case'; fill it"):
        prepare_table(rewritten(fake("table"), set_cell(3, "case", "nan")))


def test_paths_are_found_as_the_disk_spells_them(fake: Folder) -> None:
    folder = fake("table")
    (folder / "images" / "photo" / "01.png").rename(folder / "images" / "photo" / "e\u0301.PNG")

    def change(table: pd.DataFrame, mapping: dict) -> None:  # type: ignore[type-arg]
        table.loc[0, "photo_file"] = " photo/\u00e9.png"
        table.loc[1, "us_file"] = "nan"

    study = prepare_table(rewritten(folder, change))
    assert "photo/e\u0301.PNG" in study.table["path"].tolist()
    assert len(study.table) == 10
    study.check_files()


def test_classes_may_be_joined_by_the_values_that_they_hold(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["tasks"] = {
            "site": {"column": "where", "classes": {"limb": ["arm", "leg"], "back": "trunk", "rare": ["a", "b"]}}
        }
        return table.assign(where=["arm", "leg", "back", "a", "b", "b"])

    study = prepare_table(rewritten(fake("table"), change))
    assert study.tasks["site"].classes == ("limb", "trunk", "rare")
    assert study.table.drop_duplicates("subject")["site"].tolist() == ["limb", "limb", "trunk", "rare", "rare", "rare"]
    with pytest.raises(DrifaError, match="puts the value 'arm' into the classes 'a' and 'b'"):
        prepare_table(
            rewritten(fake("table"), set_keys(tasks={"d": {"column": "dx", "classes": {"a": ["arm"], "b": ["arm"]}}}))
        )


def test_decimal_commas_are_read_and_told(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["tasks"]["years"] = {"column": "age", "kind": "number"}
        return table.assign(age=["4,5", "12", "", "7,25", "8", "9"])

    study = prepare_table(rewritten(fake("table"), change, ".txt"))
    assert set(study.table["years"]) == {"4.5", "12", "", "7.25", "8", "9"}
    assert "Decimal commas of the column 'age' are read as points." in study.notes
