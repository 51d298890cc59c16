"""What a study declares about itself: its modalities, its tasks, and the `study.yaml` that holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from drifa.errors import DrifaError, suggest
from drifa.names import check_name
from drifa.yaml_text import parse_yaml

FORMAT_VERSION = "1"
#: Free-text keys of `study.yaml`, all optional.
TEXT_KEYS = ("source", "licence", "citation", "notes", "group_meaning")
KEYS = ("drifa_study", "name", "root", *TEXT_KEYS, "split_protocol", "modalities", "tasks")
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
    """A named prediction with its classes, or with its regions where every pixel is judged.

    Args:
        name: Letters, digits, ``_`` and ``-``; also the name of the task's column: label texts, or paths of mask files.
        classes: Label texts; their order is the order of the logits. Left empty where ``regions`` are given: they name them.
        modalities: Modalities whose subjects carry this label: a subject with any of them can be asked.
        regions: For a segmentation task, the mask values (1 to 255; 0 is background) that make up each region; regions may
            overlap. None for a classification task.

    Raises:
        DrifaError: Fewer than two classes, no region, a name or value twice, no modality, or a name that cannot be used.
    """

    name: str
    classes: tuple[str, ...]
    modalities: tuple[str, ...]
    regions: Mapping[str, tuple[int, ...]] | None = None

    def __post_init__(self) -> None:
        check_name("task", self.name)
        if self.regions is not None:
            self._check_regions(self.regions)
            object.__setattr__(self, "classes", tuple(self.regions))
        elif len(self.classes) < 2:
            raise DrifaError(f"task {self.name!r} has {len(self.classes)} classes; it needs at least two")
        one = "class" if self.regions is None else "region"
        for kind, names in ((one, self.classes), ("modality", self.modalities)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise DrifaError(f"task {self.name!r} lists the {kind} {twice[0]!r} twice; list it once")
            if "" in names:
                raise DrifaError(f"task {self.name!r} lists an empty {kind}; an empty text means 'no label', so name it")
        if not self.modalities:
            raise DrifaError(f"task {self.name!r} names no modality; list those whose subjects carry its label")

    def _check_regions(self, regions: Mapping[str, tuple[int, ...]]) -> None:
        if not regions:
            raise DrifaError(f"task {self.name!r} has no regions; name at least one with its mask values")
        if self.classes and self.classes != tuple(regions):
            raise DrifaError(f"task {self.name!r} has both classes and regions; leave out the classes, the regions name them")
        for region, values in regions.items():
            wrong = [value for value in values if not 1 <= value <= 255]
            if wrong or not values or len(set(values)) < len(values):
                raise DrifaError(
                    f"region {region!r} of task {self.name!r} has the mask values {list(values)}; "
                    f"list one or more of 1 to 255, each once (0 is background)"
                )

    @property
    def kind(self) -> Literal["classification", "segmentation"]:
        """What is judged: the subject, or each of its pixels."""
        return "classification" if self.regions is None else "segmentation"

    @property
    def mask_values(self) -> tuple[int, ...]:
        """Every value that a mask of this task may hold, ascending; 0 and the values of all regions."""
        return tuple(sorted({0}.union(*(self.regions or {}).values())))


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
    header["modalities"] = _modalities(header["modalities"], place)
    header["tasks"] = _tasks(header["tasks"], place)
    return header


def format_header(header: Mapping[str, Any]) -> str:
    """Writes what :func:`parse_header` reads."""
    document: dict[str, Any] = {"drifa_study": int(FORMAT_VERSION)}
    document.update({key: header[key] for key in KEYS if key in header and header[key] != ""})
    document["modalities"] = {
        name: {"columns": list(modality.columns)} if modality.columns else {"channels": modality.channels}
        for name, modality in header["modalities"].items()
    }
    document["tasks"] = {name: _task_document(task) for name, task in header["tasks"].items()}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _mapping(value: Any, place: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DrifaError(f"{place} should hold 'key: value' lines with the keys {', '.join(known)}; it holds {_short(value)}")
    for key in value:
        if key not in known:
            raise DrifaError(f"unknown key {key!r} in {place}{suggest(key, known)}")
    return dict(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _named(value: Any, place: str, kind: str, example: str) -> dict[str, Any]:
    if value in ("", None):
        return {}
    if not isinstance(value, dict):
        raise DrifaError(f"key {kind!r} of {place} holds {value!r}; write one '{example}' line for each")
    return value


def _modalities(value: Any, place: str) -> dict[str, Modality]:
    found = {}
    for name, spec in _named(value, place, "modalities", "NAME: {channels: 3}").items():
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


def _task_document(task: Task) -> dict[str, Any]:
    if task.regions is None:
        return {"classes": list(task.classes), "modalities": list(task.modalities)}
    return {"regions": {name: list(values) for name, values in task.regions.items()}, "modalities": list(task.modalities)}


def _tasks(value: Any, place: str) -> dict[str, Task]:
    found = {}
    example = "NAME: {classes: [a, b], modalities: [m]}"
    for name, spec in _named(value, place, "tasks", example).items():
        spec = _mapping(spec, f"task {name!r} of {place}", ("classes", "regions", "modalities"))
        for key in ("classes", "modalities") if "regions" not in spec else ("modalities",):
            entries = spec.get(key)
            if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
                raise DrifaError(f"task {name!r} of {place} needs {key} as a list of names, as in '{example}'")
        if "regions" not in spec:
            found[name] = Task(name, tuple(spec["classes"]), tuple(spec["modalities"]))
        elif "classes" in spec:
            raise DrifaError(f"task {name!r} of {place} has both classes and regions; keep the one that you mean")
        else:
            found[name] = Task(name, (), tuple(spec["modalities"]), _regions(spec["regions"], f"task {name!r} of {place}"))
    return found


def _regions(value: Any, place: str) -> dict[str, tuple[int, ...]]:
    found = {}
    for name, values in _named(value, place, "regions", "NAME: [1, 2]").items():
        numbers = values if isinstance(values, list) else [values]
        if not all(isinstance(number, str) and re.fullmatch(r"[0-9]{1,3}", number) for number in numbers):
            raise DrifaError(f"region {name!r} of {place} holds {values!r}; list its mask values, as in '{name}: [1, 2]'")
        found[name] = tuple(int(number) for number in numbers)
    return found
