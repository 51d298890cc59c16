"""Tables and YAML as people write them: read whole, or refused with the place."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from drifa.errors import DrifaError
from drifa.names import MOST_BYTES, check_name, file_look, file_name, find_file, ids_of, is_missing, is_rounded, look, plain
from drifa.text_tables import decimal_points, read_table, table_text
from drifa.yaml_text import parse_yaml


def _file(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,NA\n,045\n",
        "a;b\n1;NA\n;045\n",
        "a\tb\n1\tNA\n\t045\n",
        "\ufeffa,b\r\n1,NA\r\n,045\r\n",
        "a,b,\n1,NA,\n,045,\n",
        "a,b\n1,NA,\n,045\n",
        '"a","b"\n"1","NA"\n"",045',
    ],
)
def test_cells_stay_the_texts_that_they_are(tmp_path: Path, text: str) -> None:
    table = read_table(_file(tmp_path, text))
    assert table.to_dict("list") == {"a": ["1", ""], "b": ["NA", "045"]}
    assert table.index.tolist() == [2, 3]


def test_rows_keep_their_number_behind_blank_lines_and_cells_of_two_lines(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, 'a,b\n"x\ny",1\n\n\nz,2\n\n'))
    assert table["a"].to_dict() == {2: "x\ny", 5: "z"}


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n,\n3,4\n,\n,\n",
        "a,b,,\n1,2,,\n,,,\n3,4,,\n",
        "a,b\n1,2\n \n3,4\n",
        "a;;b;\n1;;2;\n; \u00a0;\n3;;4\n",
        "\u00a0a , b\n1,2\n\n3,4,,,,\n",
    ],
)
def test_rows_and_columns_of_nothing_are_no_part_of_a_table(tmp_path: Path, text: str) -> None:
    table = read_table(_file(tmp_path, text))
    assert table.to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}
    assert table.index.tolist() == [2, 4]


@pytest.mark.parametrize("before", ["\n\n", ";;\n;\n", '"";\n \n'])
def test_the_header_is_the_first_row_that_is_not_blank_and_rows_keep_their_numbers(tmp_path: Path, before: str) -> None:
    table = read_table(_file(tmp_path, f"{before};a;b\n;1,5;2\n\n;3;4\n"))
    assert table.to_dict("list") == {"a": ["1,5", "3"], "b": ["2", "4"]}
    assert table.index.tolist() == [4, 6]
    with pytest.raises(DrifaError, match=r"row 5 of .* has 2 cells"):
        read_table(_file(tmp_path, f"{before};a;b\n;1;2\n;3\n"))
    with pytest.raises(DrifaError, match="is empty; its first line that is not blank should name"):
        read_table(_file(tmp_path, before))


def test_a_single_column_keeps_its_rows_numbers(tmp_path: Path) -> None:
    assert read_table(_file(tmp_path, 'a\n1\n\n""\n \n2\n\n'))["a"].to_dict() == {2: "1", 6: "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "row 3 of .* has 1 cell, but the first line names 2 columns"),
        ("a,b\n1,2\n\n3,4,5\n", "row 4 of .* has 3 cells"),
        ("a,b\n1,2,3\n4,5,6\n", "row 2 of .* has 3 cells"),
        ("a,b,a\n1,2,3\n", "has two columns 'a'"),
        ("a,,b\n1,2,3\n", "column 2 of .* has no name but holds '2' in row 2; .* or delete the column"),
        ("a,b,\n1,2,\n3,4,x\n", "column 3 of .* has no name but holds 'x' in row 3"),
        ("", "is empty"),
        ("sep=;\na;b\n1;2\n", "begins with 'sep=;', which only Excel understands; remove that line"),
        ('a,b\n"1,2\n', "cannot be read as a table"),
        ("a,b\n1,2\n".encode("utf-16"), "no table in CSV but text in UTF-16; save it as 'CSV UTF-8'"),
        (b"PK\3\4" + bytes(9), "no table in CSV but a workbook or ZIP archive; save the sheet as 'CSV UTF-8', or unpack it"),
        (b"\x1f\x8b" + bytes(9), "no table in CSV but packed by gzip; unpack it"),
        (b"<!DOCTYPE html>", "no table in CSV but a web page"),
        (b"a,b\n\xe9,2\n", "is not text in UTF-8"),
    ],
)
def test_a_table_that_does_not_fit_its_header_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        read_table(_file(tmp_path, text))


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="is not a file"):
        read_table(tmp_path)


def test_any_text_is_read_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ["x\ry", "z\n", "", " s "], "b": ['"', "a,b", "NaN", "\r\n"]})
    assert read_table(_file(tmp_path, table_text(table))).to_dict("list") == table.to_dict("list")


@pytest.mark.parametrize("texts", [True, False])
@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", "x: {a: 1, a: 2}", "x:\n  - {a: 1, a: 1}\n"])
def test_a_key_that_comes_twice_is_refused(text: str, texts: bool) -> None:
    with pytest.raises(yaml.YAMLError, match="key 'a' comes twice"):
        parse_yaml(text, texts)


def test_yaml_is_read_as_values_or_as_texts() -> None:
    assert parse_yaml("a: 1\nb: [no]\n") == {"a": 1, "b": [False]}
    assert parse_yaml("a: 1\nb: [no]\n", texts=True) == {"a": "1", "b": ["no"]}


@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize(
    "text", ["a: &x [1]\nb: *x\n", "[" * 5000, "a: " + "1" * 2_000_000, "{[: " * 999, "a: 2026-13-45\nb: [1"]
)
def test_yaml_that_could_fill_the_memory_or_end_nowhere_is_refused(text: str, texts: bool) -> None:
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text, texts)


def test_every_name_that_layers_cannot_have_is_refused() -> None:
    layers = torch.nn.ModuleDict()
    for name in dir(layers):
        with pytest.raises(DrifaError, match="cannot name a task"):
            check_name("task", name)


@pytest.mark.parametrize("name", ["t1", "T1-ce", "läsion", "2d", "lung_nodule"])
def test_other_names_are_free(name: str) -> None:
    check_name("task", name)
    torch.nn.ModuleDict({name: torch.nn.Identity()})


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a=b", "-a", "_a", "a/b", 3])
def test_names_that_are_no_key_or_file_name_are_refused(name: object) -> None:
    with pytest.raises(DrifaError, match="cannot name a modality: begin with a letter"):
        check_name("modality", name)


@pytest.mark.parametrize(
    ("texts", "points"),
    [
        (["4,5", "", "12,25"], ["4.5", "", "12.25"]),
        (["4,5", "12", "NA"], ["4.5", "12", "NA"]),
        (["1,234", "12,5"], ["1.234", "12.5"]),
        (["0,125", "1,250"], ["0.125", "1.250"]),
        (["1,234", "12,500"], ["1,234", "12,500"]),  # thousands, or not: nobody knows
        (["4,5", "4.5"], ["4,5", "4.5"]),
        (["a,b", "1"], ["a,b", "1"]),
    ],
)
def test_decimal_commas_are_points_unless_they_may_part_thousands(texts: list[str], points: list[str]) -> None:
    assert decimal_points(texts) == points


def test_what_nobody_sees_is_no_part_of_a_text() -> None:
    for text in ("e\u0301tude 1", "\u00e9tude\u00a01", " \ufeff\u00e9tu\u200bde\u20091\u202f", "\u00e9tude 1"):
        assert plain(text) == "\u00e9tude 1"
    for text in ("e\u034f\u0301\ufe0f", "e\u200d\u0301", "\u034f\u00e9 \ufe0e"):
        assert plain(text) == "\u00e9"
    assert plain("a\tb") == "a\tb"
    assert plain("\u8fbb\U000e0100") != plain("\u8fbb")  # another form of the letter, by which names are told apart


def test_a_whole_number_is_one_id_however_it_is_written() -> None:
    assert ids_of(["12", "12.0", "7.00", "-1.0", "0.0"]) == ["12", "12", "7", "-1", "0"]
    assert ids_of(["007", "7", "7.0", "P1.0", "1.2.0"]) == ["007", "7", "7", "P1.0", "1.2.0"]
    assert ids_of(["1", "1.0", "1.1", "1.10 "]) == ["1", "1.0", "1.1", "1.10"]  # a numbering of its own
    assert ids_of(["Pat-1", "pat-1"]) == ["Pat-1", "pat-1"]
    assert ids_of(["'12", "12", "\uff11\uff12", "'12.0", "'007", "P\uff11", "P1\ufe0f"]) == [
        "12",
        "12",
        "12",
        "12",
        "007",
        "P1",
        "P1",
    ]
    apart = ["\u201912", "'a1", "12'", "''12", "\u0661\u0662", "\u00b2", "\uff211", "P\u20101", "P-1", "1"]
    assert ids_of(apart) == apart


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\u00a0",
        "nan",
        "NA",
        "N/A",
        "None",
        "null",
        "<NA>",
        "-",
        "?",
        "--",
        "#N/A",
        "\\N",
        "Unknown",
        "not  known",
        "NaT",
        "\u2013",
        "\u2014 ",
        "\u2212",
        "\u2026",
        "_",
        ". .",
        "n. a.",
        "N.A",
        "k.A.",
        "NOT_AVAILABLE",
        "not-available",
        "Not Provided",
        "no-id",
        "NoID",
        "unknown patient",
        "Unknown_Patient",
        "Pending",
        "t.b.d.",
        "p\u00adending",
    ],
)
def test_words_for_nothing_are_missing(text: str) -> None:
    assert is_missing(text)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "N",
        "Nathan",
        "P-1",
        "007",
        "unknown primary",
        "non",
        "KA",
        "ka",
        "NA12",
        "unknown 1",
        "pending 2",
        "id",
        "patient",
        "no",
        "-a-",
    ],
)
def test_ids_are_not_missing(text: str) -> None:
    assert not is_missing(text)


def test_long_numbers_that_a_spreadsheet_rounded_are_known() -> None:
    assert is_rounded("1.23457E+08")
    assert is_rounded("1,23457E+11")
    assert not any(map(is_rounded, ("1E5", "12E+08", "123457000", "1.5")))


def test_what_looks_alike_has_one_look() -> None:
    for alike in (("007", "7", "7.0", "\uff17"), ("Pat-1", "pat-1", "PAT 01", "pat__1"), ("a/10", "A/010")):
        assert len(set(map(look, alike))) == 1, alike
    for alike in (
        ("'12", "\u201912", "12", "\u0661\u0662"),
        ("P\u20101", "P\u20131", "P \u2212 1", "P-1"),
        ("\u8fbb\U000e0100", "\u8fbb"),
    ):
        assert len(set(map(look, alike))) == 1, alike
    assert len(set(map(look, ("1", "10", "100", "0", "1.1", "1.10", "1-1", "11", "a/1", "b/1")))) == 10


def test_a_file_is_found_under_its_other_spelling(tmp_path: Path) -> None:
    for name in ("e\u0301/1.JPG", "2.png", "2.PNG", "3.jpeg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert find_file(tmp_path / "\u00e9" / "1.jpg") == tmp_path / "e\u0301" / "1.JPG"
    assert find_file(tmp_path / "3", (".jpg", ".jpeg")) == tmp_path / "3.jpeg"
    for name in ("2.png", "2.PNG", "4.png", "none/1.png"):
        assert find_file(tmp_path / name) == tmp_path / name
    with pytest.raises(DrifaError, match=r"2\.Png may mean '2\.PNG' or '2\.png'"):
        find_file(tmp_path / "2.Png")
    assert file_look("A\u00a01.TIFF") == "A 1.tiff"


@pytest.mark.parametrize(
    "text", ["../../x", "/any/place", "..", ".", "", ".ssh", "a\0b", "a\nb", "C:\\x", "\x1b[2J", "\udc80", "é" * 999, "a" * 999]
)
def test_the_file_of_any_text_stays_in_its_folder(tmp_path: Path, text: str) -> None:
    path = tmp_path / file_name(text)
    path.write_text("")
    assert path.parent == tmp_path
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert len(path.name.encode()) <= MOST_BYTES


def test_a_plain_text_is_its_own_file_and_long_ones_keep_apart() -> None:
    assert [file_name(text) for text in ("Patient-1.a", "naïve_2", "a b/c")] == ["Patient-1.a", "naïve_2", "a_b_c"]
    assert file_name("x" * 500 + "1") != file_name("x" * 500 + "2")
