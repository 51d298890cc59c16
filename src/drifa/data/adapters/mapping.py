"""The YAML file that says what the columns of a table mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drifa.data.targets import target_type
from drifa.errors import DrifaError, suggest
from drifa.yaml_text import parse_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModalityMapping(_Strict):
    """Where the images of a modality are named: ``path`` in a wide table; ``value``, its text in the column, in a long one."""

    path: str = ""
    value: str = ""
    channels: int = 3


class TaskMapping(_Strict):
    """One task: its column, or the columns of its classes with 1 in one of them, or what the names of its masks have behind
    those of the images; its classes, a list, {value in the table: class} or {class: [values in the table]}, or the regions of
    its masks, or a number's unit."""

    column: str = ""
    columns: list[str] = Field(default_factory=list)
    suffix: str = ""
    kind: str | None = None
    classes: list[str] | dict[str, str | list[str]] | None = None
    modalities: list[str] | None = None
    regions: dict[str, list[int]] | None = None
    unit: str | None = None

    def told(self) -> str:
        """Its column, for errors."""
        return repr(self.column) if self.column else f"made of {', '.join(self.columns)}"

    def spec(self, place: str) -> dict[str, Any]:
        """The declaration as targets read it: classes as a list or {value in the table: class}."""
        return self.model_dump() | {"classes": _by_value(self.classes, place)}


class Mapping(_Strict):
    """The whole file; paths count from the file itself, and ``root`` is the table's folder where it is left out.

    A ``table`` with ``*`` in its name is all Parquet files of such names together. Images that lie inside a Parquet table
    become files where ``extract_images`` says so: they are copies, which a user has to want."""

    table: str = Field(min_length=1)
    name: str = Field(min_length=1)
    subject: str = Field(min_length=1)
    modalities: dict[str, ModalityMapping] = Field(min_length=1)
    tasks: dict[str, TaskMapping] = Field(min_length=1)
    root: str = ""
    group: str = ""
    split: str = ""
    path: str = ""
    modality: str = ""
    source: str = ""
    licence: str = ""
    citation: str = ""
    notes: str = ""
    group_meaning: str = ""
    extract_images: bool = False

    def columns(self) -> dict[str, str]:
        """Every column that the mapping names, by the key that names it."""
        found = {key: getattr(self, key) for key in ("subject", "group", "split", "path", "modality") if getattr(self, key)}
        found |= {f"modalities.{name}.path": one.path for name, one in self.modalities.items() if one.path}
        found |= {f"tasks.{name}.column": task.column for name, task in self.tasks.items() if task.column}
        return found | {
            f"tasks.{name}.columns.{column}": column for name, task in self.tasks.items() for column in task.columns
        }


def read_mapping(file: Path) -> Mapping:
    """Reads and checks a mapping.

    Raises:
        DrifaError: Not YAML, an unknown or missing key, a value of the wrong kind, or neither a wide nor a long table.
    """
    try:
        raw = parse_yaml(file.read_text(encoding="utf-8-sig"), texts=True)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DrifaError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise DrifaError(f"{file} should hold 'key: value' lines with the keys {', '.join(Mapping.model_fields)}")
    try:
        mapping = Mapping.model_validate(raw)
    except ValidationError as error:
        raise DrifaError(f"{file}: {_explain(error)}") from None
    long = bool(mapping.path or mapping.modality)
    for name, one in mapping.modalities.items():
        if long and one.path:
            raise DrifaError(
                f"{file}: modality {name!r} has the path column {one.path!r}, but 'path' or 'modality' says that the table has "
                f"one row per image; keep one of the two ways"
            )
        if not long and not one.path:
            raise DrifaError(
                f"{file}: modality {name!r} has no path column; write 'path: COLUMN' in it for one row per subject, or "
                f"'path: COLUMN' and 'modality: COLUMN' at the top for one row per image"
            )
        if not long and one.value:
            raise DrifaError(
                f"{file}: modality {name!r} has a 'value', which only a table with one row per image needs; remove it"
            )
    if long and not (mapping.path and mapping.modality):
        missing = "modality" if mapping.path else "path"
        raise DrifaError(f"{file}: a table with one row per image needs both 'path' and 'modality'; add {missing!r}")
    for name, task in mapping.tasks.items():
        place = f"{file}: task {name!r}"
        if task.regions and bool(task.column) == bool(task.suffix):
            raise DrifaError(
                f"{place} needs 'column: NAME' with the paths of its masks, or 'suffix: _mask' where masks lie beside their "
                f"images; write one"
            )
        if task.suffix and not task.regions:
            raise DrifaError(f"{place} has 'suffix', which only masks have; add their 'regions: {{lesion: [1]}}'")
        if re.search(r"[/\\\0]", task.suffix):
            raise DrifaError(f"{place} has the suffix {task.suffix!r}; masks lie in the folder of their image: write no folder")
        if not task.suffix and bool(task.column) == bool(task.columns):
            raise DrifaError(f"{place} needs 'column: NAME', or 'columns: [NAME, …]' with 0 and 1 for each class; write one")
        if task.columns and (task.regions or task.unit or task.kind not in (None, "classes")):
            raise DrifaError(f"{place} has 'columns', which only classes have; name the one 'column' that holds it")
        target_type(task.spec(place), place)
    return mapping


def _by_value(classes: list[str] | dict[str, str | list[str]] | None, place: str) -> list[str] | dict[str, str] | None:
    """Classes as a list, or as {value: class}: an entry ``class: [values]`` is taken apart."""
    if not isinstance(classes, dict):
        return classes
    found: dict[str, str] = {}
    for key, entry in classes.items():
        for value, name in [(key, entry)] if isinstance(entry, str) else [(value, key) for value in entry]:
            if found.setdefault(value, name) != name:
                raise DrifaError(f"{place} puts the value {value!r} into the classes {found[value]!r} and {name!r}; keep one")
    return found


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    dotted = ".".join(location)
    if first["type"] == "extra_forbidden":
        return f"unknown key {dotted!r}{suggest(location[-1], _keys(location))}"
    if first["type"] == "missing":
        return f"key {dotted!r} is missing; add it"
    return f"{dotted} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _keys(location: list[str]) -> list[str]:
    kinds: dict[str, Any] = {"modalities": ModalityMapping, "tasks": TaskMapping}
    return list((kinds[location[0]] if len(location) > 2 else Mapping).model_fields)
