"""The study that a run was judged on, where it is still there: its table has the subgroups, its files the pictures."""

from __future__ import annotations

import re
from dataclasses import replace
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


def with_study(files: RunFiles) -> RunFiles:
    """The run with its study in the run's own split; where none can be read, with the reason, and with members not trained.

    Args:
        files: The run.
    """
    if files.model is None or files.config is None:
        return replace(files, no_study=f"{'model.json' if files.model is None else 'config.yaml'} is not in the run folder")
    from drifa.runs.run import Run

    try:
        run = Run.open(files.folder)
        files = replace(files, unfinished=run.told_of_members())
        return replace(files, study=run.study())
    except DrifaError as error:
        return replace(files, no_study=str(error))


def is_phantom(study: Study) -> bool:
    """Whether it is the built-in one."""
    return study.source.startswith(PHANTOM[0]) and study.licence == PHANTOM[1]


def telling_columns(study: Study) -> list[str]:
    """The columns of a study's table by which people or machines differ, and that are no task."""
    core = {"subject", "modality", "path", "group", "split", *study.tasks}
    return [str(name) for name in study.table.columns if name not in core and WORDS.search(str(name))]
