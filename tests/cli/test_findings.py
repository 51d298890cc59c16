"""Errors and warnings come in full, and files can be told apart."""

from __future__ import annotations

import pytest

from drifa.cli.findings import common_folder, files_of, print_findings
from drifa.data.audit import Audit, Finding


def test_a_common_folder_is_named_once_and_ends_stay_whole() -> None:
    twins = ["deep/er/scan_0001_of_a_long_name.png", "deep/er/scan_0002_of_a_long_name.png"]
    one = Finding("warning", "near_duplicates", "", "", tuple(twins), 2, {"members": [twins]})
    assert files_of(one) == ["in deep/er/", "scan_0001_of_a_long_name.png = scan_0002_of_a_long_name.png"]
    assert files_of(Finding("error", "unreadable", "", "", ("a/1.png", "b/2.png"), 2)) == ["a/1.png, b/2.png"]
    assert files_of(Finding("error", "grids_differ", "")) == []


def test_a_common_folder_is_whole_folders_only() -> None:
    assert common_folder(["ab/1.png", "ac/1.png"]) == ""
    assert common_folder(["x/ab/1.png", "x/ac/1.png"]) == "x/"
    assert common_folder(["1.png", "2.png"]) == ""
    assert common_folder(["x/1.png"]) == ""


def test_long_names_are_folded_and_never_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    names = tuple("x" * 70 + f"{number}.png" for number in range(2))
    print_findings(Audit("made", 2, (Finding("error", "unreadable", "cannot be read", "", names, 2),)))
    cells = "".join(line.split("│")[-2].strip() for line in capsys.readouterr().out.splitlines() if "│" in line)
    assert all(name in cells.replace(" ", "") for name in names)
