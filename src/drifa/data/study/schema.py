"""What a study declares about itself: its modalities, its tasks, and the `study.yaml` that holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from drifa.data.study.reporting import parse_reporting
from drifa.data.targets import TASK_KEYS, Target, target_type
from drifa.data.targets.base import list_of_names, named, refuse_repeated
from drifa.data.targets.classes import EXAMPLE
from drifa.errors import DrifaError, suggest
from drifa.names import check_name
from drifa.yaml_text import parse_yaml

FORMAT_VERSION = "1"
#: Free-text keys of `study.yaml`, all optional.
TEXT_KEYS = ("source", "licence", "citation", "notes", "group_meaning")
KEYS = ("drifa_study", "name", "root", *TEXT_KEYS, "split_protocol", "reading", "reporting", "modalities", "tasks")
#: How a filled `split` column may have been made; "" where nobody said.
SPLIT_PROTOCOLS = ("", "strict", "paper", "official", "kfold", "column")


@dataclass(frozen=True)
class Modality:
    """A named input stream.

    Args:
        name: Letters, digits, ``_`` and ``-``.
        channels: 1 (grey) or 3 (RGB); images are converted on reading.
        columns: For a tabular modality, the table's columns that make it up; its rows have no path. Empty for images.

    Raises:
        DrifaError: A name or a channel count that cannot be used.
    """

    name: str
    channels: int = 3
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("modality", self.name)
        if self.channels not in (1, 3):
            raise DrifaError(f"modality {self.name!r} has channels: {self.channels}; use 1 (grey) or 3 (RGB)")


@dataclass(frozen=True)
class Task:
    """A named prediction.

    Args:
        name: Letters, digits, ``_`` and ``-``; also the name of the task's column.
        target: What the column holds.
        modalities: Modalities whose subjects carry it: a subject with any of them can be asked.

    Raises:
        DrifaError: A target that cannot be used, no modality, one twice, or a name that cannot be used.
    """

    name: str
    target: Target
    modalities: tuple[str, ...]

    def __post_init__(self) -> None:
        check_name("task", self.name)
        self.target.check(self.name)
        refuse_repeated(self.name, "modality", self.modalities)
        if not self.modalities:
            raise DrifaError(f"task {self.name!r} names no modality; list those whose subjects carry its label")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of what is told apart: classes, or regions; none for a number."""
        return self.target.names


def parse_header(text: str, place: str) -> dict[str, Any]:
    """Reads the text of a `study.yaml`.

    Args:
        text: The file's content.
        place: How errors call the file.

    Returns:
        Every key of `study.yaml` except the version; ``modalities`` and ``tasks`` as dicts of their dataclasses by name.

    Raises:
        DrifaError: Not YAML, another format version, an unknown or missing key, or a value of the wrong kind.
    """
    try:
        raw = parse_yaml(text, texts=True)
    except yaml.YAMLError as error:
        raise DrifaError(f"{place} is not valid YAML: {' '.join(str(error).split())}") from None
    header = _mapping(raw, place, KEYS)
    version = header.pop("drifa_study", None)
    if version is None:
        raise DrifaError(f"{place} has no line 'drifa_study: {FORMAT_VERSION}'; add it if this is a drifa study")
    if version != FORMAT_VERSION:
        raise DrifaError(
            f"{place} is written in study format {version!r}; this drifa reads format {FORMAT_VERSION!r}: update drifa, "
            f"or prepare the study again"
        )
    for key in ("name", "modalities", "tasks"):
        if key not in header:
            raise DrifaError(f"{place} has no key {key!r}; add it")
    for key in ("name", "root", *TEXT_KEYS, "split_protocol"):
        if not isinstance(header.setdefault(key, ""), str):
            raise DrifaError(f"key {key!r} of {place} holds {header[key]!r}; it takes one text")
    header["root"] = header["root"] or "."
    header["reading"] = _reading(header.get("reading", "0"), place)
    header["reporting"] = parse_reporting(header.get("reporting"), place)
    header["modalities"] = _modalities(header["modalities"], place)
    header["tasks"] = _tasks(header["tasks"], place)
    return header


def format_header(header: Mapping[str, Any]) -> str:
    """Writes what :func:`parse_header` reads."""
    document: dict[str, Any] = {"drifa_study": int(FORMAT_VERSION)}
    document.update({key: header[key] for key in KEYS if key in header and header[key] not in ("", {}, 0)})
    document["modalities"] = {
        name: {"columns": list(modality.columns)} if modality.columns else {"channels": modality.channels}
        for name, modality in header["modalities"].items()
    }
    document["tasks"] = {
        name: {**task.target.document(), "modalities": list(task.modalities)} for name, task in header["tasks"].items()
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _mapping(value: Any, place: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DrifaError(f"{place} should hold 'key: value' lines with the keys {', '.join(known)}; it holds {_short(value)}")
    for key in value:
        if key not in known:
            raise DrifaError(f"unknown key {key!r} in {place}{suggest(key, known)}")
    return dict(value)


def _reading(value: Any, place: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value):
        raise DrifaError(f"key 'reading' of {place} holds {_short(value)}, not the number that drifa wrote; remove the line")
    return int(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _modalities(value: Any, place: str) -> dict[str, Modality]:
    found = {}
    for name, spec in named(value, place, "modalities", "NAME: {channels: 3}").items():
        spec = _mapping(spec or {}, f"modality {name!r} of {place}", ("channels", "columns"))
        columns = spec.get("columns", [])
        if not isinstance(columns, list) or ("columns" in spec and not columns) or ("columns" in spec and "channels" in spec):
            raise DrifaError(f"modality {name!r} of {place} takes either channels: 3 or columns: [age, …], not {spec}")
        channels = spec.get("channels", "3")
        if channels not in ("1", "3"):
            raise DrifaError(f"modality {name!r} of {place} has channels: {channels}; use 1 (grey) or 3 (RGB)")
        found[name] = Modality(name, int(channels), tuple(map(str, columns)))
    if not found:
        raise DrifaError(f"{place} names no modality; add one as 'modalities: {{NAME: {{channels: 3}}}}'")
    return found


def _tasks(value: Any, place: str) -> dict[str, Task]:
    found = {}
    for name, spec in named(value, place, "tasks", EXAMPLE).items():
        where = f"task {name!r} of {place}"
        spec = _mapping(spec, where, ("kind", *TASK_KEYS, "modalities"))
        target = target_type(spec, where).parse(spec, where)
        found[name] = Task(name, target, list_of_names(spec, "modalities", where, EXAMPLE))
    return found
