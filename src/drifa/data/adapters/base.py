"""What a dataset adapter is: facts about a published dataset, and the way from its folder to a study."""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pandas as pd

from drifa.data.study.study import Study
from drifa.errors import DrifaError


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
