"""Files appear whole or not at all."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from drifa.files import atomic_path, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = write_text(tmp_path / "a.txt", "old")
    with atomic_path(target) as temporary:
        temporary.write_text("ne")
        assert target.read_text() == "old"
        assert temporary.parent == tmp_path  # a rename does not cross disks
        temporary.write_text("new")
    assert (target.read_text(), names(tmp_path)) == ("new", ["a.txt"])


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path, failure: BaseException) -> None:
    def spoil(target: Path) -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise failure

    write_text(tmp_path / "a.txt", "old")
    for name in ("a.txt", "b.txt"):
        with pytest.raises(type(failure)):
            spoil(tmp_path / name)
    assert ((tmp_path / "a.txt").read_text(), names(tmp_path)) == ("old", ["a.txt"])


def test_two_writers_of_one_file_do_not_share_a_temporary_one(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a") as one, atomic_path(tmp_path / "a") as two:
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "a").read_text() == "1"  # the last to end


def test_text_is_written_as_it_is_in_folders_that_are_made(tmp_path: Path) -> None:
    path = write_text(tmp_path / "x" / "y" / "a.txt", "Grüße\r\n\n")
    assert path.read_bytes() == b"Gr\xc3\xbc\xc3\x9fe\r\n\n"


def test_json_is_read_back_and_nan_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None], "é": {"b": "c"}}
    path = write_json(tmp_path / "a.json", value)
    assert json.loads(path.read_text(encoding="utf-8")) == value
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": math.nan})
    assert json.loads(path.read_text(encoding="utf-8")) == value
    assert names(tmp_path) == ["a.json"]
