"""Data of one's own: folders by class and mapped tables become studies, and what is wrong with them is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.data.adapters.prepare import prepare, prepare_folders, prepare_table
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.studies import class_indices

Fake = Callable[[str], Path]


def _images(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(folder / name)
    return folder


def test_folders_pair_modalities_by_name_and_group_by_the_expression(fake: Fake, tmp_path: Path) -> None:
    words = ["data", "prepare", "folders", str(fake("folders")), r"group=(P\d+)", "channels=ultrasound:1", "task=diagnosis"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "study")])
    assert result.exit_code == 0, result.output
    assert f"next: drifa data audit {tmp_path / 'study'}" in result.output
    study = Study.load(tmp_path / "study")
    study.check_files()
    subjects = study.subjects()
    assert subjects.modalities == ("photo", "ultrasound")
    assert subjects.present.sum(axis=0).tolist() == [12, 11]
    assert [study.modalities[name].channels for name in subjects.modalities] == [3, 1]
    assert set(subjects.group) == {f"P{number:02d}" for number in range(6)}
    # The id holds the lesion's number, and the lesion's number was its class.
    assert all(int(one[-1]) == label for one, label in zip(subjects.ids, class_indices(subjects)[:, 0], strict=True))
    assert study.tasks["diagnosis"].classes == ("benign", "malignant")


def test_one_modality_needs_no_folder_of_its_own(fake: Fake) -> None:
    study = prepare_folders(fake("folders") / "photo", modality="camera")
    assert list(study.modalities) == ["camera"]
    assert len(study.table) == 12
    assert list(prepare_folders(study.root).modalities) == ["image"]


def test_patients_folders_below_the_class_are_part_of_the_id_once_the_modality_is_named(tmp_path: Path) -> None:
    _images(tmp_path, "a/P1/1.png", "a/P2/1.png", "b/P3/1.png", "b/P3/2.png")
    study = prepare_folders(tmp_path, modality="scan", group="P\\d")
    assert sorted(study.table["subject"]) == ["P1/1", "P2/1", "P3/1", "P3/2"]
    assert study.tasks["label"].classes == ("a", "b")
    assert study.table["group"].nunique() == 3


def test_names_that_come_twice_get_their_class_and_published_splits_are_kept_aside(tmp_path: Path) -> None:
    names = [f"{split}/{label}/{number}.png" for split in ("train", "valid", "test") for label in "ab" for number in (1, 2)]
    study = prepare_folders(_images(tmp_path, *names))
    assert study.table["subject"].is_unique
    assert dict(study.table["official"].value_counts()) == {"train": 4, "val": 4, "test": 4}
    assert set(study.table["split"]) == {""}
    assert set(study.table["label"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ((), {}, "no image below .* stands in folders by class"),
        (("1.png", "2.png"), {}, "no image below .* stands in folders by class"),
        (("a/1.png", "a/2.png"), {}, "the class folder 'a' only"),
        (("a/1.png", "b/c/1.png"), {}, "mixes two layouts: a/1.png and b/c/1.png"),
        (("a/1.png", "a/1.jpg", "b/2.png"), {}, "are two images of one subject and modality"),
        (("m/a/1.png", "m/b/2.png", "n/b/1.png"), {}, "m/a/1.png and n/b/1.png have one name.*another class"),
        (("a/1.png", "b/2.png"), {"group": "P("}, "is not a regular expression"),
        (("a/P1.png", "b/2.png"), {"group": "P."}, r"group=P\. finds nothing in b/2\.png"),
        (("a/1.png", "b/2.png"), {"channels": "4"}, "gives 'image' the channels '4'; use 1"),
        (("a/1.png", "b/2.png"), {"channels": "imag:1"}, r"unknown modality 'imag' \(did you mean 'image'\?\)"),
    ],
)
def test_folders_that_cannot_be_a_study_are_refused(
    tmp_path: Path, names: tuple[str, ...], options: dict[str, str], message: str
) -> None:
    with pytest.raises(DrifaError, match=message):
        prepare_folders(_images(tmp_path, *names), **options)


def test_a_circle_of_links_ends(fake: Fake) -> None:
    folder = fake("folders")
    before = prepare_folders(folder).table
    (folder / "photo" / "benign" / "loop").symlink_to(folder, target_is_directory=True)
    assert prepare_folders(folder).table.equals(before)


def test_options_are_key_value_and_known(fake: Fake, tmp_path: Path) -> None:
    folder = str(fake("folders"))
    for words, message in (
        (["folders", folder, "grup=x"], r"unknown option 'grup' of folders \(did you mean 'group'\?\)"),
        (["folders", folder, "group"], "option 'group' of prepare folders is not of the form key=value"),
        (["folders", folder, "task=a", "task=b"], "comes twice"),
        (["table", folder], "no mapping file at"),
        (["table"], "needs the mapping's YAML file"),
        (["phantom", folder], "takes no"),
    ):
        result = CliRunner().invoke(app, ["data", "prepare", *words, "--out", str(tmp_path / "study")])
        assert isinstance(result.exception, DrifaError)
        with pytest.raises(DrifaError, match=message):
            raise result.exception
    assert not (tmp_path / "study").exists()


def test_a_wide_table_becomes_a_study_with_its_extra_columns(fake: Fake, tmp_path: Path) -> None:
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


def _rewritten(folder: Path, change: Callable[[pd.DataFrame, dict], pd.DataFrame | None], suffix: str = ".csv") -> Path:  # type: ignore[type-arg]
    """Changes the generator's table and mapping, and returns the mapping's path."""
    table = pd.read_csv(folder / "cases.csv", dtype=str, keep_default_na=False)
    mapping = yaml.safe_load((folder / "mapping.yaml").read_text())
    table = table if (changed := change(table, mapping)) is None else changed
    mapping["table"] = f"cases{suffix}"
    if suffix == ".parquet":
        table.to_parquet(folder / mapping["table"], index=False)
    else:
        table.to_csv(folder / mapping["table"], index=False, sep=";" if suffix == ".txt" else ",")
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping, sort_keys=False))
    return folder / "mapping.yaml"


def _to_long(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
    mapping |= {"path": "file", "modality": "kind"}
    mapping["modalities"] = {"photo": {"value": "PH", "channels": 3}, "ultrasound": {"channels": 1}}
    parts = [
        table.drop(columns=["photo_file", "us_file"]).assign(file=table[column], kind=kind)
        for column, kind in (("photo_file", "PH"), ("us_file", "ultrasound"))
    ]
    return pd.concat(parts)


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".parquet"])
def test_long_and_wide_tables_of_any_kind_say_the_same(fake: Fake, suffix: str) -> None:
    folder = fake("table")
    wide = prepare_table(folder / "mapping.yaml").table
    long = prepare_table(_rewritten(folder, _to_long, suffix)).table
    order = ["subject", "modality"]
    columns = wide.columns.tolist()
    assert long.sort_values(order)[columns].reset_index(drop=True).equals(wide.sort_values(order).reset_index(drop=True))


def test_whole_numbers_of_a_parquet_file_stay_whole(fake: Fake) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        return table.assign(patient=[1, 1, 2, 2, 3, 3], age=[41, 42, None, 44, 45, 46])

    table = prepare_table(_rewritten(fake("table"), change, ".parquet")).table
    assert set(table["group"]) == {"1", "2", "3"}
    assert set(table["age"]) == {"41", "42", "", "44", "45", "46"}


def test_absolute_paths_and_backslashes_below_the_root_are_made_relative(fake: Fake) -> None:
    folder = fake("table")
    before = prepare_table(folder / "mapping.yaml").table

    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        absolute = [f"{(folder / 'images').resolve()}/{path}" for path in table["photo_file"]]
        return table.assign(photo_file=absolute, us_file=table["us_file"].str.replace("/", "\\"))

    assert prepare_table(_rewritten(folder, change)).table.equals(before)


def test_absolute_paths_that_reach_the_root_through_a_link_are_below_it(fake: Fake, tmp_path: Path) -> None:
    folder = fake("table")
    before = prepare_table(folder / "mapping.yaml").table
    (tmp_path / "link").symlink_to(folder)

    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        return table.assign(photo_file=[f"{tmp_path}/link/images/{path}" for path in table["photo_file"]])

    assert prepare_table(_rewritten(folder, change)).table.equals(before)


def test_splits_masks_and_values_without_a_label(fake: Fake) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["split"] = "fold"
        mapping["tasks"]["lesion"] = {"column": "mask", "regions": {"all": [1, 2]}, "modalities": ["photo"]}
        mapping["tasks"]["diagnosis"]["classes"] = {"B": "benign", "M": "malignant", "?": ""}
        fold = ["train", "train", "val", "val", "test", "test"]
        return table.assign(fold=fold, mask=table["photo_file"], dx=["B", "M", "?", "B", "M", "?"])

    study = prepare_table(_rewritten(fake("table"), change))
    assert set(study.subjects().split) == {"train", "val", "test"}
    assert study.tasks["lesion"].target.kind == "regions"
    assert [path is not None and path.is_file() for path in study.mask_paths("lesion")] == [True] * 6
    assert (~study.subjects().known_of("diagnosis")).sum() == 2


def _set(row: int, column: str, value: str) -> Callable[..., None]:
    def change(table: pd.DataFrame, mapping: dict) -> None:  # type: ignore[type-arg]
        table.loc[row - 2, column] = value

    return change


def _map(**changes: object) -> Callable[..., None]:
    def change(table: pd.DataFrame, mapping: dict) -> None:  # type: ignore[type-arg]
        mapping.update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(3, "photo_file", "../cases.csv"), r"path '\.\./cases.csv' in row 3 of cases.csv leads out of"),
        (_set(3, "photo_file", "/etc/hostname"), r"path '/etc/hostname' in row 3 of cases.csv leads out of"),
        (_set(4, "photo_file", "photo/none.png"), r"none.png cannot be read \(No such file.*; row 4 of cases.csv names it"),
        (_set(4, "photo_file", "photo/loop.png"), r"loop.png is a circle of links; row 4 of cases.csv"),
        (_set(5, "case", ""), "row 5 of cases.csv has nothing in the subject column 'case'"),
        (_set(5, "case", "C1"), r"'C1' has a second image of modality 'photo' in row 5 of cases.csv \(the first is in row 2\)"),
        (_set(3, "dx", "b"), r"label 'b' in row 3 of cases.csv is not listed for task 'diagnosis' \(did you mean 'B'\?\)"),
        (_map(grop="patient"), r"unknown key 'grop' \(did you mean 'group'\?\)"),
        (_map(group="patiens"), r"maps group to the column 'patiens', which cases.csv lacks \(did you mean 'patient'\?\)"),
        (_map(subject=""), "subject = '': string should have at least 1 character"),
        (_map(split="dx"), "split 'M' in row 2 of cases.csv is none of train, val, test"),
        (_map(path="photo_file"), "keep one of the two ways"),
        (_map(modalities={"photo": {}}), "modality 'photo' has no path column"),
        (
            _map(modalities={"photo": {"path": "photo_file", "chanels": "1"}}),
            r"modalities.photo.chanels' \(did you mean 'channels'",
        ),
        (_map(modalities={"photo": {"path": "photo_file", "channels": "2"}}), "has channels: 2; use 1"),
        (
            _map(tasks={"age": {"column": "dx"}}),
            "has a column 'age' that mapping.yaml does not map, but a study needs that name",
        ),
        (
            _map(tasks={"d": {"column": "dx", "modalities": ["photos"]}}),
            r"unknown modality 'photos' \(did you mean 'photo'\?\)",
        ),
        (_map(tasks={"d": {"column": "dx", "classes": ["B", "M", "B"]}}), "task 'd' lists the class 'B' twice"),
        (_map(tasks={"d": {"column": "dx", "classes": ["B", "M"], "regions": {"a": [1]}}}), "both classes and regions"),
        (_map(tasks={"d": {"column": "dx", "regions": {"a": ["one"]}}}), r"tasks.d.regions.a.0 = 'one'"),
    ],
)
def test_a_table_or_mapping_that_is_wrong_is_named_with_row_and_remedy(
    fake: Fake, change: Callable[..., None], message: str
) -> None:
    folder = fake("table")
    (folder / "images" / "photo" / "loop.png").symlink_to("loop.png")
    with pytest.raises(DrifaError, match=message):
        prepare_table(_rewritten(folder, change))


def test_a_mapping_that_is_no_mapping_is_refused(fake: Fake) -> None:
    mapping = fake("table") / "mapping.yaml"
    for text, message in (
        ("a: [", "not valid YAML"),
        ("- a", "should hold 'key: value' lines"),
        ("table: x.csv", "key 'name' is missing"),
        (mapping.read_text().replace("cases.csv", "case.csv"), "case.csv cannot be read .*; correct 'table' in the mapping"),
    ):
        mapping.write_text(text)
        with pytest.raises(DrifaError, match=message):
            prepare_table(mapping)


def test_a_stray_image_beside_the_split_folders_changes_nothing(tmp_path: Path) -> None:
    names = [f"{split}/{label}/{number}.png" for split in ("train", "test") for label in "ab" for number in (1, 2)]
    before = prepare_folders(_images(tmp_path, *names))
    after = prepare_folders(_images(tmp_path, "figure.png"))
    assert after.table.equals(before.table)
    assert list(after.modalities) == ["image"]
    assert "1 images outside class folders" in after.notes


def test_split_folders_beside_others_are_refused(tmp_path: Path) -> None:
    _images(tmp_path, "train/a/1.png", "test/b/2.png", "extra/a/3.png")
    with pytest.raises(DrifaError, match="holds 'test', the name of a split, beside 'extra'"):
        prepare_folders(tmp_path)


def test_class_folders_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    _images(tmp_path, "train/Benign/1.png", "train/malignant/2.png", "test/benign/3.png")
    with pytest.raises(DrifaError, match="the class folders 'Benign' and 'benign'"):
        prepare_folders(tmp_path)


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    _images(tmp_path, "a/1.png", "b/2.png")
    for name in ("a/3.webp", "a/IM0001", "b/IM0002"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "linked").symlink_to(tmp_path / "a", target_is_directory=True)
    notes = prepare_folders(tmp_path).notes
    assert "Not read: files of other kinds (2 without an ending, 1 *.webp; DICOM needs the ending .dcm)" in notes
    assert "linked folders (linked)" in notes


@pytest.mark.parametrize("task", ["official", "path", "split"])
def test_a_task_cannot_have_the_name_of_a_column(tmp_path: Path, task: str) -> None:
    with pytest.raises(DrifaError, match=f"task={task} is the name of a column"):
        prepare_folders(_images(tmp_path, "a/1.png", "b/2.png"), task=task)


def test_file_names_that_are_no_text_are_named(tmp_path: Path) -> None:
    _images(tmp_path, "a/1.png", "b/2.png", "b/3\r.png")
    with pytest.raises(DrifaError, match=r"'b/3\\r.png'.*rename the file"):
        prepare_folders(tmp_path)
    (tmp_path / "b" / "3\r.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/b/\xff.png"))
    with pytest.raises(DrifaError, match=r"udcff.png'.*rename the file"):
        prepare_folders(tmp_path)


def test_file_names_in_any_script_and_with_any_space_are_kept(tmp_path: Path) -> None:
    names = ["a/Bild 1 \u00fc.png", "a/Screenshot 9.41\u202fAM.png", "b/\u56f3\u3000\u0661.png", "b/e\u0301\u00a0.png"]
    prepare_folders(_images(tmp_path, *names)).save(tmp_path / "study")
    study = Study.load(tmp_path / "study")
    assert sorted(study.table["path"]) == sorted(names)
    study.check_files()


def test_a_study_is_replaced_on_demand_only_and_its_old_split_goes_with_it(fake: Fake, tmp_path: Path) -> None:
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


def test_a_study_that_cannot_be_replaced_stays(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(3, "where", "NaN"), "task 'site' has the label 'NaN' in cases.csv: a missing value"),
        (_set(3, "where", " arm"), "task 'site' has the labels ' arm' and 'arm' in cases.csv: one class"),
        (_set(3, "where", "Back"), "task 'site' has the labels 'Back' and 'back'"),
        (_set(3, "photo_file", "photo"), "photo is not a file; row 3 of cases.csv names it"),
        (_set(3, "photo_file", "a\0b"), "cannot be a path; row 3 of cases.csv names it"),
        (_map(tasks={"path": {"column": "dx"}}), "task 'path' of .*mapping.yaml has the name of a column"),
    ],
)
def test_cells_that_would_pass_for_something_else_are_named(fake: Fake, change: Callable[..., None], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        prepare_table(_rewritten(fake("table"), change))


def test_unused_subjects_are_a_split_of_a_table_too(fake: Fake) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        mapping["split"] = "fold"
        return table.assign(fold=["train", "train", "val", "test", "unused", "unused"], patient=table["case"])

    assert set(prepare_table(_rewritten(fake("table"), change)).table["split"]) == {"train", "val", "test", "unused"}


def test_rows_keep_their_number_behind_blank_lines_and_cells_of_two_lines(fake: Fake) -> None:
    folder = fake("table")
    lines = (folder / "cases.csv").read_text().splitlines()
    lines[2] = lines[2].replace("back", '"ba\nck"').replace("arm", '"a\nrm"')
    lines.insert(1, "")
    lines[5] = lines[5].replace("photo/", "none/")
    (folder / "cases.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DrifaError, match="row 6 of cases"):
        prepare_table(folder / "mapping.yaml")
