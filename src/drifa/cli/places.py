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
