"""What is guessed of a folder leads to a study, and nothing that is there is touched."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from drifa.config import load_config
from drifa.data import Study, prepare, split
from drifa.data.adapters.mapping import read_mapping
from drifa.data.adapters.prepare import ADAPTERS
from drifa.errors import DrifaError
from drifa.init import Start, init

DATA = Path(__file__).parent / "data"


def generate(name: str, folder: Path, *arguments: object) -> Path:
    runpy.run_path(str(DATA / name / "data.py"))["write"](folder, *arguments)
    return folder


def prepared(start: Start, folder: Path) -> Study:
    mapping = next(path for path in start.files if path.name.endswith(".mapping.yaml"))
    prepare("table", mapping, folder)
    return split(Study.load(folder), fractions=(0.6, 0.2, 0.2))[0]


@pytest.mark.parametrize("name", ["folders", "table"])
def test_a_folder_becomes_a_study_that_can_be_split_by_patient(name: str, tmp_path: Path) -> None:
    start = init(generate(name, tmp_path / "clinic", 20), tmp_path)
    study = prepared(start, tmp_path / "study")
    assert set(study.modalities) == {"photo", "ultrasound" if name == "folders" else "us"}
    subjects = study.subjects()
    assert len(set(subjects.group)) < len(subjects)
    assert all(len(set(subjects.split[subjects.group == group])) == 1 for group in set(subjects.group))
    assert start.guessed
    assert "1 (grey)" not in start.commands[0]
    assert not any("refuses" in text for text in start.check)


def test_columns_are_taken_by_their_names_and_cells(tmp_path: Path) -> None:
    init(generate("table", tmp_path / "clinic", 20), tmp_path)
    mapping = read_mapping(tmp_path / "clinic.mapping.yaml")
    assert (mapping.subject, mapping.group) == ("case", "patient")
    assert mapping.root == str(tmp_path / "clinic" / "images")
    assert list(mapping.tasks) == ["dx"]
    assert "# where:" in (tmp_path / "clinic.mapping.yaml").read_text()
    config = load_config(tmp_path / "clinic.yaml")
    assert config.data.studies == ["studies/clinic"]
    assert "age" in (tmp_path / "clinic.yaml").read_text()


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("inside", [True, False])
def test_a_table_that_holds_its_images_is_told_to_give_them_out(inside: bool, parts: int, tmp_path: Path) -> None:
    folder = generate("table", tmp_path / "clinic", 20)
    table = pd.read_csv(folder / "cases.csv", dtype=str, keep_default_na=False)
    table = table[table["photo_file"] != ""]
    photos = [
        {"bytes": (folder / "images" / path).read_bytes() if inside else None, "path": path} for path in table["photo_file"]
    ]
    hub = tmp_path / "hub"
    hub.mkdir()
    whole = pa.Table.from_pandas(table[["case", "patient", "dx"]], preserve_index=False)
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    whole = whole.append_column("photo_file", pa.array(photos, kind))
    each = -(-len(whole) // parts)
    for number in range(parts):
        name = f"train-{number:05d}-of-{parts:05d}.parquet"
        parquet.write_table(whole.slice(number * each, each), hub / name)
    if not inside:
        (folder / "images").rename(hub / "images")
    parquet.write_table(whole.slice(0, 2), hub / "test-00000-of-00001.parquet")
    start = init(hub, tmp_path)
    assert not any("refuses" in text for text in start.check)
    assert any(text.startswith("test-00000-of-00001.parquet has the same columns") for text in start.check)
    mapping = read_mapping(tmp_path / "hub.mapping.yaml")
    assert mapping.table.endswith("train-*-of-00003.parquet" if parts > 1 else "train-00000-of-00001.parquet")
    assert mapping.extract_images == inside
    study = prepared(start, tmp_path / "study")
    assert len(study.table) == len(photos) > 0
    study.check_files()


def test_a_row_per_image_and_the_modality_in_a_column(tmp_path: Path) -> None:
    folder = tmp_path / "long"
    rows = []
    for number in range(12):
        for kind, grey in (("photo", False), ("scan", True)):
            path = folder / "files" / f"{kind}{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            shape = (8, 8) if grey else (8, 8, 3)
            Image.fromarray(np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)).save(path)
            rows.append({"case": f"c{number}", "kind": kind, "name": path.stem, "label": ["no", "yes", "NA"][number % 3]})
    pd.DataFrame(rows).to_csv(folder / "list.csv", index=False)
    study = prepared(init(folder, tmp_path), tmp_path / "study")
    assert {name: one.channels for name, one in study.modalities.items()} == {"photo": 3, "scan": 1}
    assert study.tasks["label"].classes == ("no", "yes")  # words that YAML and tables take for something else
    assert len(study.subjects()) == 12


@pytest.mark.parametrize("name", list(ADAPTERS))
def test_the_known_datasets_are_recognised(name: str, tmp_path: Path) -> None:
    folder = generate(name, tmp_path / "data")
    start = init(folder, tmp_path)
    assert start.commands[0] == f"drifa data prepare {name} {folder} --out studies/data"
    assert load_config(tmp_path / "data.yaml").data.study == "studies/data"


def test_a_class_may_be_named_as_a_missing_value(tmp_path: Path) -> None:
    folder = generate("folders", tmp_path / "clinic", 20)
    for path in folder.glob("*/benign"):
        path.rename(path.with_name("none"))
    study = prepared(init(folder, tmp_path), tmp_path / "study")
    assert study.tasks["label"].classes == ("malignant", "none")
    assert (study.table["label"] == "none").any()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    folder = generate("folders", tmp_path / "clinic")
    (tmp_path / "clinic.csv").write_text("mine")
    with pytest.raises(DrifaError, match=r"clinic\.csv is there already"):
        init(folder, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clinic", "clinic.csv"]
    (tmp_path / "clinic.csv").unlink()
    before = sorted(folder.rglob("*"))
    init(folder, tmp_path)
    assert sorted(folder.rglob("*")) == before
    with pytest.raises(DrifaError, match="is there already"):
        init(folder, tmp_path)


def test_a_folder_that_tells_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="no image below"):
        init(tmp_path, tmp_path)
    with pytest.raises(DrifaError, match="no folder at"):
        init(tmp_path / "nowhere", tmp_path)
    assert not list(tmp_path.iterdir())
