"""Data to take along: the same numbers, and no formula."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import unquote

from drifa.report.data_link import data_link


def read(link: str) -> list[dict[str, str]]:
    (text,) = re.findall(r'href="data:text/csv;charset=utf-8,([^"]*)"', link)
    return list(csv.DictReader(io.StringIO(unquote(text))))


def test_rows_come_back_and_names_of_files_are_plain() -> None:
    link = data_link('a/b "c"', [{"class": 'x,"y"', "share": 1 / 3}, {"class": "ä", "share": None}])
    assert read(str(link)) == [{"class": 'x,"y"', "share": "0.333333"}, {"class": "ä", "share": ""}]
    assert 'download="a-b--c-.csv"' in link
    assert data_link("none", []) == ""


def test_no_cell_is_a_formula() -> None:
    (row,) = read(str(data_link("x", [{"class": "=1+1", "value": -1.5}])))
    assert row == {"class": "'=1+1", "value": "-1.5"}


def test_what_is_not_known_is_empty() -> None:
    assert read(str(data_link("x", [{"value": float("nan")}]))) == [{"value": ""}]
