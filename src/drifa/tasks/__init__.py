"""Kinds of task: what an answer is, how it is learned, summarised and judged. One file per kind.

A new kind is one file here and one line in ``KINDS``, beside its target in :mod:`drifa.data.targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from drifa.config import Config
from drifa.data import Study
from drifa.errors import DrifaError, short
from drifa.tasks.base import Kind, SubjectKind
from drifa.tasks.classes import Classes
from drifa.tasks.number import Number
from drifa.tasks.regions import Regions

__all__ = ["KINDS", "Classes", "Kind", "Number", "Regions", "SubjectKind", "kinds_from", "learn_kinds"]

#: Every kind by its name, which is that of its target.
KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in (Classes, Regions, Number)}


def learn_kinds(study: Study, config: Config) -> dict[str, Kind]:
    """Task -> its kind, as the training split of a study and a configuration have it.

    Examples:
        >>> from drifa.config import make_config
        >>> from drifa.data import make_phantom, split
        >>> study, _ = split(make_phantom("phantom", subjects=60, image_size=32))
        >>> kinds = learn_kinds(study, make_config({"data": {"study": "phantom"}}))
        >>> kinds["depth"].classes, kinds["spread"].outputs
        (('thin', 'thick', 'deep'), 4)
    """
    subjects = study.subjects()
    train = subjects.in_split("train")
    return {
        name: KINDS[task.target.kind].learn(
            name, task.target, subjects.targets[name][train], subjects.known_of(name)[train], config
        )
        for name, task in study.tasks.items()
    }


def kinds_from(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, Kind]:
    """Task -> its kind, from what a run says of its tasks, see :class:`drifa.runs.info.RunInfo`."""
    return {name: _kind_from(name, value) for name, value in tasks.items()}


def _kind_from(name: str, value: Mapping[str, Any]) -> Kind:
    try:
        kind = KINDS[value["kind"]].from_json(value)
        TypeAdapter(type(kind)).validate_python(vars(kind))
        return kind
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DrifaError(
            f"task {name!r} of model.json lacks something that its kind has learned, or holds it in another form "
            f"({short(error)}); restore the file, or train again"
        ) from error
