"""Tables and YAML as people write them: read whole, or refused with the place."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from drifa.errors import DrifaError
from drifa.names import check_name
from drifa.text_tables import read_table, table_text
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
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "row 3 of .* has 1 cells, but the first line names 2 columns"),
        ("a,b\n1,2\n\n3,4,5\n", "row 4 of .* has 3 cells"),
        ("a,b\n1,2,3\n4,5,6\n", "row 2 of .* has 3 cells"),
        ("a,b,a\n1,2,3\n", "has two columns 'a'"),
        ("a,,b\n1,2,3\n", "column 2 of .* has no name"),
        ("", "is empty"),
        ("sep=;\na;b\n1;2\n", "begins with 'sep=;', which only Excel understands; remove that line"),
        ('a,b\n"1,2\n', "cannot be read as a table"),
        ("a,b\n1,2\n".encode("utf-16"), "is not text in UTF-8"),
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
    text = "a: &x {b: 01, c: no}\nd: {<<: *x, b: 1}\n"
    assert parse_yaml("a: 1\nb: [no]\n") == {"a": 1, "b": [False]}
    assert parse_yaml("a: 1\nb: [no]\n", texts=True) == {"a": "1", "b": ["no"]}
    assert parse_yaml(text)["d"] == {"b": 1, "c": False}


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
