"""Images inside a Parquet table become files of the study; a path alone is that file, and neither is no image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.data.adapters.pictures import FOLDER
from drifa.data.adapters.prepare import prepare
from drifa.data.reading.images import read_image
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, all_files, rewritten, to_long

KIND = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def mixed(folder: Path, ways: Sequence[str], long: bool = False) -> Path:
    """The mapping of a Parquet table whose photos are inside (``bytes``), files (``path``), or none, by row and in turn."""
    mapping = rewritten(folder, to_long if long else lambda table, mapping: None, ".parquet")
    table = pd.read_parquet(folder / "cases.parquet")
    name = "file" if long else "photo_file"
    cells = []
    for row, path in enumerate(table[name]):
        way = ways[row % len(ways)] if path else "none"
        content = (folder / "images" / path).read_bytes() if way == "bytes" else {"empty": b""}.get(way)
        # The path beside bytes is a name that leads nowhere.
        cells.append({"bytes": content, "path": {"path": path, "bytes": "gone/7.jpg"}.get(way)})
    whole = pa.Table.from_pandas(table.drop(columns=name)).append_column(name, pa.array(cells, KIND))
    parquet.write_table(whole, folder / "cases.parquet")
    told = "extract_images: true\n"
    mapping.write_text(told + mapping.read_text().removeprefix(told))
    return mapping


def pixels(study: Study) -> dict[tuple[str, str], bytes]:
    """Every image of a study by subject and modality."""
    keys = zip(study.table["subject"], study.table["modality"], strict=True)
    channels = {name: modality.channels for name, modality in study.modalities.items()}
    return {key: read_image(study.image_path(row), channels[key[1]]).tobytes() for row, key in enumerate(keys)}


def others(study: Study) -> pd.DataFrame:
    """The table without its paths, in one order."""
    return study.table.drop(columns="path").sort_values(["subject", "modality"], ignore_index=True)


@pytest.mark.parametrize("ways", [["bytes"], ["path"], ["bytes", "path"], ["path", "path", "bytes"]])
@pytest.mark.parametrize("long", [False, True])
def test_bytes_and_paths_give_the_study_that_files_give(fake: Folder, tmp_path: Path, ways: list[str], long: bool) -> None:
    folder = fake("table")
    files = prepare("table", folder / "mapping.yaml", tmp_path / "files")
    before = {path: path.read_bytes() for path in all_files(folder / "images")}
    study = prepare("table", mixed(folder, ways, long), tmp_path / "study")
    loaded = Study.load(tmp_path / "study")
    loaded.check_files()
    assert pixels(study) == pixels(loaded) == pixels(files)
    assert others(study).equals(others(files))
    assert {path: path.read_bytes() for path in all_files(folder / "images")} == before
    inside = [path for path in all_files(tmp_path / "study") if FOLDER in path.parts]
    assert {path.suffix for path in inside} <= {".png"}
    assert bool(inside) == ("bytes" in ways)
    assert (f"{len(inside)} images that lay inside the table are files in {FOLDER}." in study.notes) == ("bytes" in ways)


@pytest.mark.parametrize("way", ["none", "empty"])
def test_a_row_with_neither_has_no_image(fake: Folder, tmp_path: Path, way: str) -> None:
    folder = fake("table")
    files = prepare("table", folder / "mapping.yaml", tmp_path / "files")
    study = prepare("table", mixed(folder, ["bytes", way, "path"]), tmp_path / "study")
    lacking = {subject for row, subject in enumerate(pd.read_csv(folder / "cases.csv", dtype=str)["case"]) if row % 3 == 1}
    assert lacking
    kept = {key: value for key, value in pixels(files).items() if key[1] != "photo" or key[0] not in lacking}
    assert pixels(study) == kept


def test_an_image_beside_an_empty_row_is_not_lost(fake: Folder, tmp_path: Path) -> None:
    folder = fake("table")
    mapping = mixed(folder, ["bytes"])
    table = pd.read_parquet(folder / "cases.parquet")
    table.loc[1, [name for name in table.columns if name != "photo_file"]] = ""
    cells = pa.array(table["photo_file"].tolist(), KIND)
    whole = pa.Table.from_pandas(table.drop(columns="photo_file")).append_column("photo_file", cells)
    parquet.write_table(whole, folder / "cases.parquet")
    with pytest.raises(DrifaError, match=r"row 3 of cases.parquet has an image in 'photo_file' and nothing else"):
        prepare("table", mapping, tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("kind", [pa.binary(), pa.struct({"bytes": pa.list_(pa.uint8()), "path": pa.string()})])
def test_images_in_another_form_are_refused(fake: Folder, tmp_path: Path, kind: pa.DataType) -> None:
    folder = fake("table")
    mapping = mixed(folder, ["path"])
    table = parquet.read_table(folder / "cases.parquet").drop(["photo_file"])
    cell = b"\x89PNG" if kind == pa.binary() else {"bytes": [1, 2], "path": "a.png"}
    parquet.write_table(table.append_column("photo_file", pa.array([cell] * len(table), kind)), folder / "cases.parquet")
    with pytest.raises(DrifaError, match=r"the column 'photo_file', which .* holds .*; write them out as files"):
        prepare("table", mapping, tmp_path / "study")


@pytest.mark.parametrize("way", ["bytes", "path"])
def test_images_are_copied_out_of_a_table_only_where_the_mapping_says_so(fake: Folder, tmp_path: Path, way: str) -> None:
    folder = fake("table")
    mapping = mixed(folder, ["none", way])
    mapping.write_text(mapping.read_text().replace("extract_images: true", "extract_images: false"))
    if way == "bytes":
        with pytest.raises(DrifaError, match=r"'photo_file', which in cases.parquet holds the images themselves as bytes; add"):
            prepare("table", mapping, tmp_path / "study")
        assert not (tmp_path / "study").exists()
    else:
        assert len(prepare("table", mapping, tmp_path / "study").table)


def test_a_study_whose_images_all_lay_inside_can_be_moved(fake: Folder, tmp_path: Path) -> None:
    folder = fake("table")
    mapping = mixed(folder, ["bytes"], long=True)
    before = pixels(prepare("table", mapping, tmp_path / "study"))
    (tmp_path / "study").rename(tmp_path / "moved")
    assert pixels(Study.load(tmp_path / "moved")) == before


def test_preparing_again_leaves_no_image_of_before(fake: Folder, tmp_path: Path) -> None:
    folder, out = fake("table"), tmp_path / "study"
    prepare("table", mixed(folder, ["bytes"]), out)
    first = {path for path in all_files(out) if FOLDER in path.parts}
    mine = out / "images" / "mine.png"
    mine.parent.mkdir()
    mine.write_bytes(b"")
    study = prepare("table", mixed(folder, ["bytes", "path"]), out, overwrite=True)
    study.check_files()
    second = {path for path in all_files(out) if FOLDER in path.parts}
    assert second < first
    assert second <= {study.image_path(row) for row in range(len(study.table))}
    assert CliRunner().invoke(app, ["data", "prepare", "phantom", "--out", str(out), "--overwrite"]).exit_code == 0
    assert not {path for path in all_files(out) if FOLDER in path.parts}
    assert mine.exists()


def test_masks_keep_their_place_beside_images_from_inside(fake: Folder, tmp_path: Path) -> None:
    folder = fake("table")
    mapping = mixed(folder, ["bytes", "path"])
    table = parquet.read_table(folder / "cases.parquet")
    masks = list(pd.read_csv(folder / "cases.csv", dtype=str, keep_default_na=False)["photo_file"])
    parquet.write_table(table.append_column("mask", pa.array(masks)), folder / "cases.parquet")
    mapping.write_text(mapping.read_text() + "  lesion: {column: mask, regions: {all: [1]}, modalities: [photo]}\n")
    study = prepare("table", mapping, tmp_path / "study")
    named = [path for path in study.mask_paths("lesion") if path is not None]
    assert named
    assert all(path.is_file() and path.is_relative_to(folder / "images") for path in named)


def cut(folder: Path, count: int) -> list[Path]:
    """The Parquet table of a folder in several files, as the Hugging Face hub has large ones."""
    whole, files = parquet.read_table(folder / "cases.parquet"), []
    for number in range(count):
        first, last = (len(whole) * end // count for end in (number, number + 1))
        files.append(folder / f"train-{number:05d}-of-{count:05d}.parquet")
        parquet.write_table(whole.slice(first, last - first), files[-1])
    (folder / "cases.parquet").unlink()
    return files


@pytest.mark.parametrize("ways", [["bytes"], ["bytes", "path", "none"]])
def test_a_table_in_several_files_gives_the_study_that_one_gives(fake: Folder, tmp_path: Path, ways: list[str]) -> None:
    folder = fake("table")
    mapping = mixed(folder, ways)
    whole = prepare("table", mapping, tmp_path / "whole")
    assert len(cut(folder, 3)) == 3
    mapping.write_text(mapping.read_text().replace("cases.parquet", "train-*.parquet"))
    study = prepare("table", mapping, tmp_path / "study")
    assert pixels(study) == pixels(whole)
    assert others(study).equals(others(whole))
    assert study.notes == whole.notes.replace("cases.parquet", "train-*.parquet")
