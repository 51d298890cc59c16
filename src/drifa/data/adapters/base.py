"""What a dataset adapter is: facts about a published dataset, and the way from its folder to a study."""

from __future__ import annotations

import errno
import os
import re
import stat
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pandas as pd

from drifa.data.reading.images import SUFFIXES
from drifa.data.study.study import Study
from drifa.errors import DrifaError

# Control characters, and what Python makes of bytes that are no UTF-8. Rare spaces are text: screenshots of macOS have one.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Adapter(ABC):
    """One published dataset.

    Attributes:
        name: Registry name, as typed on the command line.
        title: One line for people.
        source: Where to get the data.
        licence: Terms as published.
        citation: What to cite.
        counts: Facts about the full set, by name; a folder may hold less.
        kaggle: Identifier of the copy that ``drifa data download`` fetches; empty where there is none.
        options: What :meth:`prepare` takes beside the folder: name and one line for people.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    counts: ClassVar[Mapping[str, int]]
    kaggle: ClassVar[str] = ""
    options: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def prepare(self, folder: Path) -> Study:
        """Turns the dataset's own folder layout into a study over that folder; its split column is empty.

        Raises:
            DrifaError: The folder does not hold the dataset.
        """


def image_files(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[str]:
    """Paths of all image files below a folder, relative to it, with forward slashes, sorted.

    Linked folders are not entered, so a circle of links ends the search nowhere; linked files count.

    Args:
        folder: Where to look.
        suffixes: Endings in lower case.

    Raises:
        DrifaError: A folder cannot be read, a linked file leads nowhere, or a name holds signs that are no text.
    """
    found = []
    for parent, _, names in os.walk(folder, onerror=_unreadable):
        relative = Path(parent).relative_to(folder)
        for name in names:
            # Names that start with a dot are not data: macOS leaves `._X.jpg` beside every X.jpg it copies.
            if name.lower().endswith(suffixes) and name[0] != ".":
                path = os.path.join(parent, name)
                if os.path.islink(path):
                    check_file(path, "mend or remove the link")
                found.append((relative / name).as_posix())
                if _NO_TEXT.search(found[-1]):
                    raise DrifaError(f"the name of {found[-1]!r} below {folder} cannot stand in a table; rename the file")
    return sorted(found)


def unread_files(folder: Path, suffixes: tuple[str, ...]) -> str:
    """A sentence on what :func:`image_files` passes over, by ending, and on linked folders; empty where there is nothing."""
    endings: Counter[str] = Counter()
    links = []
    for parent, folders, names in os.walk(folder):
        shown = [name for name in names if name[0] != "." and not name.lower().endswith(suffixes)]
        endings.update(os.path.splitext(name)[1].lower() for name in shown)
        links += [name for name in folders if os.path.islink(os.path.join(parent, name))]
    told = [f"{count} {f'*{end}' if end else 'without an ending'}" for end, count in sorted(endings.items())]
    hint = "; DICOM needs the ending .dcm" if endings.keys() & {"", ".ima"} else ""
    words = [f"files of other kinds ({', '.join(told)}{hint})"] if told else []
    words += [f"linked folders ({', '.join(sorted(links)[:3])}{', …' if len(links) > 3 else ''})"] if links else []
    return f" Not read: {', '.join(words)}." if words else ""


def check_file(path: str | Path, remedy: str) -> None:
    """Looks whether there is a file, following links.

    Raises:
        DrifaError: There is none, it is a folder or device, or its links run in a circle; ends in ``remedy``.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DrifaError(f"{path} is not a file; {remedy}")
    except ValueError:
        raise DrifaError(f"{str(path)!r} cannot be a path; {remedy}") from None
    except OSError as error:
        reason = "is a circle of links" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"
        raise DrifaError(f"{path} {reason}; {remedy}") from None


def _unreadable(error: OSError) -> None:
    raise DrifaError(f"folder {error.filename} cannot be read ({error.strerror}); correct its permissions, or move it away")


def present_classes(labels: pd.Series, classes: Sequence[str], task: str) -> tuple[tuple[str, ...], str]:
    """The classes that a partial copy of a dataset holds, in their published order, and a note on those that it lacks.

    Raises:
        DrifaError: Fewer than two classes are there.
    """
    here = set(labels)
    kept = tuple(name for name in classes if name in here)
    if len(kept) < 2:
        raise DrifaError(
            f"the folder holds only class {', '.join(kept)!r} of task {task!r}; nothing can be learned from one class"
        )
    lacking = [name for name in classes if name not in here]
    return kept, f" Classes without an image here, left out of the study: {', '.join(lacking)}." if lacking else ""
