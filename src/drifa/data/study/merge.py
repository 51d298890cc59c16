"""Several studies as one: how the paper trains HAM10000 together with SIPaKMeD."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from drifa.data.study.reporting import joined_reporting
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.errors import DrifaError

Declared = TypeVar("Declared", Modality, Task)


def merge_studies(studies: Sequence[Study]) -> Study:
    """Joins studies into one table with the ids ``<study>/<subject>`` and ``<study>/<group>``.

    Args:
        studies: Two or more, with different names. A modality or task that several declare must be declared alike.

    Returns:
        A study over the common parent folder of all roots.

    Raises:
        DrifaError: Equal study names, declarations that disagree, or a column that is a task in one study and free in another.
    """
    names = [study.name for study in studies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DrifaError(f"two of the studies to merge are called {twice[0]!r}; rename one in its study.yaml")
    if not studies:
        raise DrifaError("nothing to merge; name at least one study")
    modalities = _agreed([study.modalities for study in studies], names, "modality")
    tasks = _agreed([study.tasks for study in studies], names, "task")
    try:
        root = Path(os.path.commonpath([study.root for study in studies]))
    except ValueError:
        listed = ", ".join(str(study.root) for study in studies)
        raise DrifaError(f"the studies' images have no common parent folder: {listed}; move them onto one drive") from None
    tables = []
    for study in studies:
        table = study.table.copy()
        for name in tasks:
            if name in table.columns and name not in study.tasks:
                raise DrifaError(f"column {name!r} of study {study.name!r} is a task in another study; rename the column")
        offset = study.root.relative_to(root).as_posix()
        table["subject"] = study.name + "/" + table["subject"]
        table["group"] = study.name + "/" + table["group"]
        masks = [task.name for task in study.tasks.values() if task.target.reads == "pixels"]
        for column in ("path", *masks) if offset != "." else ():
            table[column] = (offset + "/" + table[column]).where(table[column] != "", "")
        tables.append(table)
    merged = pd.concat(tables, ignore_index=True)
    text = merged.select_dtypes(include=["object", "string"]).columns
    merged[text] = merged[text].fillna("")
    protocols = {study.split_protocol for study in studies}
    return Study(
        name="+".join(names),
        root=root,
        table=merged,
        modalities=modalities,
        tasks=tasks,
        source=_joined(studies, "source"),
        licence=_joined(studies, "licence"),
        citation=_joined(studies, "citation"),
        notes=_joined(studies, "notes"),
        group_meaning=_joined(studies, "group_meaning"),
        reading=min(study.reading for study in studies),
        reporting=joined_reporting({study.name: study.reporting for study in studies}),
        # One cut study makes the whole cut; otherwise a protocol is claimed only where all agree.
        split_protocol="paper" if "paper" in protocols else protocols.pop() if len(protocols) == 1 else "",
        place="the merged table",
    )


def _agreed(declared: Sequence[dict[str, Declared]], names: Sequence[str], kind: str) -> dict[str, Declared]:
    merged: dict[str, Declared] = {}
    owner: dict[str, str] = {}
    for study, items in zip(names, declared, strict=True):
        for name, item in items.items():
            if merged.setdefault(name, item) != item:
                raise DrifaError(
                    f"{kind} {name!r} is {merged[name]} in study {owner[name]!r} but {item} in study {study!r}; "
                    f"make them agree, or rename one"
                )
            owner.setdefault(name, study)
    return merged


def _joined(studies: Sequence[Study], key: str) -> str:
    return "\n".join(f"{study.name}: {getattr(study, key)}" for study in studies if getattr(study, key))
