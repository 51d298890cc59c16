"""Parquet tables become texts; columns of pictures are left out and named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from drifa.data.adapters.parquet import read_parquet
from drifa.data.adapters.prepare import prepare_table
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, rewritten

PICTURE = b"\x89PNG" + bytes(range(256))


@pytest.mark.parametrize("cell", [PICTURE, {"bytes": PICTURE, "path": "1.png"}, [1.0, 2.0]])
def test_a_column_that_no_text_can_stand_for_is_left_out_and_named(tmp_path: Path, cell: object) -> None:
    pd.DataFrame({"id": [1, 2], "image": [cell, None]}).to_parquet(tmp_path / "t.parquet")
    table, left_out = read_parquet([tmp_path / "t.parquet"])
    assert table.to_dict("list") == {"id": ["1", "2"]}
    assert list(left_out) == ["image"]


def test_a_mapped_column_of_pictures_is_refused_and_another_one_told(fake: Folder) -> None:
    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        return table.assign(image=[{"bytes": PICTURE, "path": path} for path in table["photo_file"]])

    folder = fake("table")
    mapping = rewritten(folder, change, ".parquet")
    study = prepare_table(mapping)
    assert "image" not in study.table.columns
    assert "The column 'image' holds the files' bytes themselves, and is left out." in study.notes
    mapping.write_text(mapping.read_text().replace("photo_file", "image"))
    with pytest.raises(
        DrifaError, match=r"modalities.photo.path to the column 'image'.*bytes.*write them out as files"
    ) as caught:
        prepare_table(mapping)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("typed", [True, False])
def test_images_without_bytes_are_their_paths(fake: Folder, typed: bool) -> None:
    folder = fake("table")
    before = prepare_table(folder / "mapping.yaml").table

    def written(paths: list[str | None]) -> Path:
        mapping = rewritten(folder, lambda table, mapping: None, ".parquet")
        table = pd.read_csv(folder / "cases.csv", dtype=str, keep_default_na=False)
        kind = pa.struct({"bytes": pa.binary() if typed else pa.null(), "path": pa.string()})
        cells = pa.array([{"bytes": None, "path": path} for path in paths], kind)
        whole = pa.Table.from_pandas(table.drop(columns="photo_file")).append_column("photo_file", cells)
        parquet.write_table(whole, folder / "cases.parquet")
        return mapping

    paths: list[str | None] = list(pd.read_csv(folder / "cases.csv", dtype=str)["photo_file"])
    assert prepare_table(written(paths)).table.equals(before)
    with pytest.raises(DrifaError, match=r"path '../mapping.yaml' in row 3 of cases.parquet leads out of"):
        prepare_table(written([paths[0], "../mapping.yaml", *paths[2:]]))
    less = prepare_table(written([paths[0], None, *paths[2:]])).table
    gone = before[(before["modality"] != "photo") | (before["subject"] != before["subject"].iloc[1])]
    assert less.equals(gone.reset_index(drop=True))


def test_a_column_of_images_of_which_some_have_bytes_says_how_many(fake: Folder) -> None:
    folder = fake("table")

    def change(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
        cells = [{"bytes": PICTURE if row < 2 else None, "path": path} for row, path in enumerate(table["photo_file"])]
        return table.assign(image=cells)

    mapping = rewritten(folder, change, ".parquet")
    told = "The column 'image' holds the files' bytes themselves in 2 of its 6 rows, and is left out."
    assert told in prepare_table(mapping).notes
    mapping.write_text(mapping.read_text().replace("photo_file", "image"))
    with pytest.raises(
        DrifaError, match=r"'image', which in cases.parquet holds .* bytes themselves in 2 of its 6 rows; write"
    ):
        prepare_table(mapping)


def test_blank_rows_and_spaces_around_names_are_no_part_of_the_table(tmp_path: Path) -> None:
    pd.DataFrame({" id": ["a", None, "b"], "x": [1.0, None, 2.0]}).to_parquet(tmp_path / "t.parquet")
    table = read_parquet([tmp_path / "t.parquet"])[0]
    assert table.to_dict("list") == {"id": ["a", "b"], "x": ["1", "2"]}
    assert table.index.tolist() == [2, 4]


def test_a_named_index_is_a_column_and_one_without_a_name_is_none(tmp_path: Path) -> None:
    path, table = tmp_path / "t.parquet", pd.DataFrame({"case": ["007", "b", "c"], "site": [1, 2, 2], "x": [1, 2, 3]})

    def read(changed: pd.DataFrame) -> dict[str, list[str]]:
        changed.to_parquet(path)
        return read_parquet([path])[0].to_dict("list")  # type: ignore[return-value]

    texts = {"case": ["007", "b", "c"], "site": ["1", "2", "2"], "x": ["1", "2", "3"]}
    assert read(table.set_index("case")) == read(table.set_index(["case", "site"])) == read(table) == texts
    assert read(table.rename_axis("row")) == {"row": ["0", "1", "2"], **texts}
    assert read(table[table["x"] > 1]) == {column: cells[1:] for column, cells in texts.items()}
    assert read(table.set_axis(range(3), axis=1)) == dict(zip("012", texts.values(), strict=True))
    with pytest.raises(DrifaError, match="has two columns 'x'; rename or remove one"):
        read(table.rename_axis("x"))


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("a,b")
    with pytest.raises(DrifaError, match=r"t.parquet cannot be read as a table .*; save it as CSV in UTF-8"):
        read_parquet([tmp_path / "t.parquet"])


def test_parts_of_a_table_are_one_whose_rows_count_on(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.parquet" for number in range(3)]
    pd.DataFrame({"id": [1, None], "site": ["arm", None]}).to_parquet(files[0])
    pd.DataFrame({"id": [3, 4], "site": ["leg", "arm"]}).to_parquet(files[1])
    pd.DataFrame({"site": pd.Series([], dtype=str), "id": pd.Series([], dtype=int)}).to_parquet(files[2])
    table, left_out = read_parquet(files)
    assert table.to_dict("index") == {
        2: {"id": "1", "site": "arm"},
        4: {"id": "3", "site": "leg"},
        5: {"id": "4", "site": "arm"},
    }
    assert not left_out
    pd.DataFrame({"id": [5], "place": ["arm"]}).to_parquet(files[1])
    with pytest.raises(DrifaError, match=r"1.parquet and .*0.parquet are no parts of one table: .* the column 'place'"):
        read_parquet(files)


def test_a_name_with_a_star_joins_parquet_files_alone(fake: Folder, tmp_path: Path) -> None:
    folder = fake("table")
    mapping = folder / "mapping.yaml"
    told = mapping.read_text()
    mapping.write_text(told.replace("cases.csv", "c*s.csv"))
    assert len(prepare_table(mapping).table)
    (folder / "cats.csv").write_text("a\n1\n")
    with pytest.raises(DrifaError, match=r"c\*s.csv names cases.csv, cats.csv; only Parquet files are joined"):
        prepare_table(mapping)
    mapping.write_text(told.replace("cases.csv", "none-*.parquet"))
    with pytest.raises(DrifaError, match=r"no file none-\*.parquet in .*; correct 'table' in the mapping"):
        prepare_table(mapping)
