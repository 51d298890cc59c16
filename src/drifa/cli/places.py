"""Where the verbs read and write: a study named by its folder or its file, and errors of the disk in one sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drifa.errors import DrifaError


def study_folder(study: Path, verb: str) -> Path:
    """The folder of a study that may be named by its `study.yaml`."""
    if os.path.isdir(study):
        return study
    if os.path.isfile(study) and study.suffix.lower() not in (".yaml", ".yml"):
        remedy = f"name its folder: drifa data {verb} {study.parent}"
        if not os.path.isfile(study.parent / "study.yaml"):
            remedy = "`drifa data prepare NAME FOLDER --out STUDY` makes one"
        raise DrifaError(f"{study} is a file, not a study folder with study.yaml in it; {remedy}")
    return study.parent


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turns an error of the disk into one sentence that names the file and what to do."""
    try:
        yield
    except OSError as error:
        remedy = f"make {target.parent} a folder that this user may write to"
        if os.path.isdir(target):
            remedy = f"a folder stands there: name a file, such as {target / 'findings.json'}, or move it away"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "make room on its disk"
        raise DrifaError(f"{target} cannot be written ({error.strerror or error}); {remedy}") from None


def check_page(page: Path, option: str) -> None:
    """Refuses what a page cannot be written to, before the work for it is done.

    Raises:
        DrifaError: A folder, or a name that no browser takes for a page.
    """
    if os.path.isdir(page):
        raise DrifaError(f"{option} {page} is a folder; name a file in it, such as {page / 'audit.html'}")
    if page.suffix.lower() not in (".html", ".htm"):
        raise DrifaError(f"{option} {page} is not named like a page; take {page.with_suffix('.html')}")
