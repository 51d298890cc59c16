"""The study that a run was judged on, where it is still there: its table has the subgroups, its files the pictures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drifa.errors import DrifaError
from drifa.runs.files import RunFiles

if TYPE_CHECKING:
    from drifa.data import Study

#: Begins the source of the built-in study, and its licence: nobody is in its pictures.
PHANTOM = ("drifa phantom,", "CC0: synthetic, no patient was involved")

#: Columns by which people or machines differ, by a word of their name.
WORDS = re.compile(
    r"(^|[_\W])(sex|gender|age|site|center|centre|hospital|clinic|country|scanner|device|vendor|manufacturer|"
    r"camera|field_?strength|race|ethnicity|skin_?type|fitzpatrick|locali[sz]ation|laterality)([_\W]|$)",
    re.IGNORECASE,
)


def study_of(files: RunFiles) -> Study | None:
    """The run's study with the run's own split; None where it is not there any more, or another one is.

    Args:
        files: The run.
    """
    if files.model is None or files.config is None:
        return None
    from drifa.runs.run import Run

    try:
        return Run.open(files.folder).study()
    except DrifaError:
        return None


def is_phantom(study: Study) -> bool:
    """Whether it is the built-in one."""
    return study.source.startswith(PHANTOM[0]) and study.licence == PHANTOM[1]


def telling_columns(study: Study) -> list[str]:
    """The columns of a study's table by which people or machines differ, and that are no task."""
    core = {"subject", "modality", "path", "group", "split", *study.tasks}
    return [str(name) for name in study.table.columns if name not in core and WORDS.search(str(name))]
