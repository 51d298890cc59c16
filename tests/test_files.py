"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from drifa.errors import DrifaError
from drifa.files import LOCK_FILE, atomic_path, digest, locked, sweep, write_csv, write_json, write_text


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


def test_an_error_of_the_disk_names_the_file_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as told, atomic_path(tmp_path / "x.csv"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert told.value.filename == str(tmp_path / "x.csv")


class _Foreign(Exception): ...


@pytest.mark.parametrize(
    ("words", "free", "number"),
    [("I/O error: Disk quota exceeded (os error 122)", 10**9, errno.EDQUOT), ("unexpected pos 3 vs 2", 0, errno.ENOSPC)],
)
def test_an_error_of_the_disk_that_a_writer_tells_in_its_own_kind_is_one_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, free: int, number: int
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(OSError, match=re.escape(os.strerror(number))) as told, atomic_path(tmp_path / "x.safetensors"):
        raise _Foreign(words)
    assert (told.value.errno, told.value.filename) == (number, str(tmp_path / "x.safetensors"))


def test_other_errors_are_left_alone_with_room_on_the_disk_and_mistakes_of_the_user_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(_Foreign, match="unexpected pos"), atomic_path(tmp_path / "x"):
        raise _Foreign("unexpected pos 3 vs 2")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(DrifaError, match="no such column"), atomic_path(tmp_path / "x"):
        raise DrifaError("no such column")


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


def test_all_files_have_the_mode_of_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "secret") as temporary:
        temporary.touch(mode=0o600)
    assert (tmp_path / "secret").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_killed_writers_left_is_swept_and_what_living_ones_write_is_not(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    with atomic_path(tmp_path / "a") as living:
        left = living.name.replace(f".{os.getpid()}.", f".{gone.stdout.strip()}.")
        elsewhere = f".a.{gone.stdout.strip()}.{'0' * 16}.tmp"  # of another machine that shares the folder
        for name in (left, living.name, elsewhere, "mine.tmp"):
            (tmp_path / "members").mkdir(exist_ok=True)
            (tmp_path / "members" / name).touch()
        sweep(tmp_path)
        assert names(tmp_path / "members") == sorted([living.name, elsewhere, "mine.tmp"])
        living.touch()


def test_a_writer_removes_what_killed_writers_of_the_same_file_left(tmp_path: Path) -> None:
    place = str(tmp_path / "[a]")
    code = f"import os; from drifa.files import atomic_path\nwith atomic_path({place!r}) as t: t.touch(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert len(names(tmp_path)) == 1
    write_text(tmp_path / "b", "x")
    assert len(names(tmp_path)) == 2
    write_text(tmp_path / "[a]", "x")
    assert names(tmp_path) == ["[a]", "b"]


def test_a_folder_is_held_by_one_and_let_go(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with locked(tmp_path / "run", "busy"):
        assert names(tmp_path / "run") == [LOCK_FILE]
        with pytest.raises(DrifaError, match="busy"), locked(tmp_path / "run", "busy"):
            pass
    with locked(tmp_path / "run", "busy"):
        pass


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    a, b, c = (write_text(tmp_path / name, text) for name, text in (("a", "x"), ("b", "x"), ("c", "y")))
    assert digest(a) == digest(b) != digest(c)


def test_a_table_is_written_whole_and_without_its_index(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y,z"]}, index=[7, 8])
    path = write_csv(tmp_path / "a.csv", table)
    assert pd.read_csv(path).equals(table.reset_index(drop=True))
    assert names(tmp_path) == ["a.csv"]
