"""What every format asks first: is there a readable file, and what do its first bytes say?"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.reading.files import HEAD_BYTES, damaged, read_head
from drifa.data.reading.images import read_image
from drifa.errors import DrifaError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)


def test_paths_that_lead_to_no_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    for name, message in {
        "none.png": "no image file at",
        "none/a.png": "no image file at",
        "folder.png": "is a folder",
        "loop.png": "leads back to itself",
        "gone.png": "a symbolic link to a file that is gone",
        "pipe.png": "is a device or a pipe",
    }.items():
        with pytest.raises(DrifaError, match=message):
            read_image(tmp_path / name, 3)


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)

    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    if os.geteuid() == 0:  # root may read everything
        monkeypatch.setattr("drifa.data.reading.files.open", refuse, raising=False)
    with pytest.raises(DrifaError, match=r"a.png may not be read by this user .*change its permissions"):
        read_image(tmp_path / "a.png", 3)


def test_the_head_is_the_first_bytes_of_the_file_and_no_more(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4
    (tmp_path / "long").write_bytes(content)
    (tmp_path / "short").write_bytes(content[:5])
    assert read_head(tmp_path / "long") == content[:HEAD_BYTES]
    assert read_head(tmp_path / "short") == content[:5]


@pytest.mark.parametrize(
    ("start", "foreign"),
    [
        (b"\n\t <HTML><body>", True),
        (b"<!DOCTYPE html>", True),
        (b"  PK\x03\x04", False),
        (b"pk\x03\x04", False),
        (b"html", False),
    ],
)
def test_web_pages_are_known_behind_blanks_and_in_any_case_and_nothing_else_is(
    tmp_path: Path, start: bytes, foreign: bool
) -> None:
    (tmp_path / "a").write_bytes(start)
    if not foreign:
        assert read_head(tmp_path / "a") == start
        return
    with pytest.raises(DrifaError, match="needs a login; fetch the file again, or remove its row"):
        read_head(tmp_path / "a")


def test_a_fault_is_told_in_one_line_under_the_name_that_was_given() -> None:
    path = Path("scans/a.nii")
    assert str(damaged(path, ValueError("one\n  two"), "volume")).startswith(
        "volume scans/a.nii is damaged or cut short (one two)"
    )
    assert "(EOFError)" in str(damaged(path, EOFError()))
    with pytest.raises(DrifaError, match=r"no volume file at scans/a\.nii; correct the path"):
        read_head(path, "volume")
