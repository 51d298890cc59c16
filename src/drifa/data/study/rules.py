"""By which rules of reading a study was prepared: under others, the same files give other pixels or another table."""

from __future__ import annotations

import logging
import re
import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from drifa.data.reading import READING

if TYPE_CHECKING:
    from drifa.data.study.study import Study

# What all adapters count in their notes, and a person who writes a study does not.
_PREPARED = re.compile(r"\bSkipped: \d")
_FOLDERS, _TABLE = re.compile(r"from folders by class\. Skipped: \d"), re.compile(r"\. Skipped: \d+ without an image\.")


def warn_of_rules(study: Study, folder: Path) -> None:
    """Warns, once per process, of a study that was prepared by earlier or later rules than this version's.

    A study without a number is taken for one that a person wrote, which no command makes again, unless its notes are those of
    `drifa data prepare`.

    Args:
        study: As it was loaded.
        folder: Where it lies.
    """
    if study.reading > READING:
        _warn(
            f"study {study.name!r} in {folder} was prepared by the reading rules {study.reading}, and this drifa knows those "
            f"up to {READING}, which may make other pixels of its files: update drifa, or prepare it again with "
            f"`{_command(study, folder)}`"
        )
    elif study.reading < READING and (study.reading or _PREPARED.search(study.notes)):
        rules = f"the reading rules {study.reading}" if study.reading else "earlier reading rules"
        _warn(
            f"study {study.name!r} in {folder} was prepared by {rules}, and is read by {READING}: what CHANGELOG.md lists "
            f"as read wrongly in silence says what changed; prepare it again, with the options of then, and split it again: "
            f"`{_command(study, folder)}`"
        )


def _command(study: Study, folder: Path) -> str:
    """What prepares a study again, as far as it tells."""
    from drifa.data.adapters.prepare import ADAPTERS

    if study.source.startswith("drifa phantom,"):
        words = ["phantom"]
    elif study.name in ADAPTERS:
        words = [study.name, str(study.root)]
    elif _FOLDERS.search(study.notes):
        words = ["folders", str(study.root)]
    else:
        words = ["table", "MAPPING.yaml"] if _TABLE.search(study.notes) else ["NAME", "FOLDER"]
    return shlex.join(["drifa", "data", "prepare", *words, "--out", str(folder), "--overwrite"])


@cache
def _warn(text: str) -> None:
    """Once, though a command may open a study several times."""
    logging.getLogger("drifa").warning("%s", text)
