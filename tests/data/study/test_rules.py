"""A study keeps the number of the reading rules it was prepared by, and one of other rules says so once."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.data.adapters.prepare import ADAPTERS, prepare
from drifa.data.reading import READING
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder

LINE = f"reading: {READING}\n"
WAYS = (*ADAPTERS, "folders", "table", "phantom")


def prepared(name: str, fake: Folder, out: Path) -> tuple[list[str], Path]:
    """The words that prepare a study into ``out``, which was done, and its `study.yaml`."""
    folder = [] if name == "phantom" else [str(fake(name) / "mapping.yaml" if name == "table" else fake(name))]
    words = ["data", "prepare", name, *folder, "--out", str(out)]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    return words, out / "study.yaml"


def rewritten(path: Path, line: str) -> None:
    """Puts another line in the place of the number."""
    text = path.read_text()
    assert LINE in text
    path.write_text(text.replace(LINE, line))


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("line", ["reading: 1\n", ""])
def test_a_study_of_earlier_rules_says_so_once_with_the_command_that_prepares_it_again(
    fake: Folder, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, line: str
) -> None:
    words, path = prepared(name, fake, tmp_path / "a study")
    before = Study.load(path)
    assert not caplog.text
    rewritten(path, line)
    opened = [Study.load(path.parent) for _ in range(2)]
    if name == "phantom" and not line:  # its pictures are drawn, and never were read in another way
        assert not caplog.text
        return
    assert len(caplog.records) == 1
    told = caplog.records[0].getMessage()
    assert "by the reading rules 1," in told if line else "by earlier reading rules," in told
    assert "CHANGELOG.md" in told
    command = shlex.split(told.split("`")[1])
    assert command[0] == "drifa"
    known = [word if name != "table" or "mapping" not in word else "MAPPING.yaml" for word in words]
    assert command[1:] == [*known, "--overwrite"]
    assert opened[0].table.equals(before.table)
    if name != "table":
        assert CliRunner().invoke(app, command[1:], catch_exceptions=False).exit_code == 0
        assert LINE in path.read_text()


def test_a_study_of_later_rules_is_opened_and_says_so(fake: Folder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    prepare("folders", fake("folders"), tmp_path / "study")
    rewritten(tmp_path / "study" / "study.yaml", f"reading: {READING + 1}\n")
    assert Study.load(tmp_path / "study").reading == READING + 1
    assert f"by the reading rules {READING + 1}, and this drifa knows those up to {READING}" in caplog.text


@pytest.mark.parametrize("kept", [False, True])
def test_a_study_that_a_person_wrote_is_not_blamed(
    study: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: bool
) -> None:
    path = study.save(tmp_path / "study")
    rewritten(path, "")
    if kept:  # as `drifa data split` keeps it
        Study.load(path).save(tmp_path / "study")
    assert Study.load(path).reading == 0
    assert "reading:" not in path.read_text()
    assert not caplog.text


def test_writing_a_study_again_does_not_make_it_one_of_these_rules(fake: Folder, tmp_path: Path) -> None:
    out = tmp_path / "study"
    prepare("folders", fake("folders"), out)
    receipts = []
    for line in (LINE, "reading: 1\n"):
        rewritten(out / "study.yaml", line)
        assert CliRunner().invoke(app, ["data", "split", str(out)], catch_exceptions=False).exit_code == 0
        assert line in (out / "study.yaml").read_text()
        receipts.append(((out / "split_receipt.json").read_bytes(), (out / "split.csv").read_bytes()))
    assert receipts[0] == receipts[1]


def test_a_merged_study_is_of_the_earliest_rules(phantom: Study, unpaired: Study) -> None:
    assert Study.merge([phantom, unpaired]).reading == READING
    assert Study.merge([phantom, replace(unpaired, reading=1)]).reading == 1


@pytest.mark.parametrize("value", ["two", "-1", "1.5", "[1]", "''"])
def test_a_number_that_is_none_is_refused(study: Study, tmp_path: Path, value: str) -> None:
    path = study.save(tmp_path)
    rewritten(path, f"reading: {value}\n")
    with pytest.raises(DrifaError, match=r"key 'reading' of .*study.yaml holds .*, not the number that drifa wrote"):
        Study.load(tmp_path)
