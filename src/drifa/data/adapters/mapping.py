"""The YAML file that says what the columns of a table mean."""

from __future__ import annotations

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
    """One task: its column; its classes, a list or {value in the table: class}, or the regions of its masks, or a number's
    unit."""

    column: str = Field(min_length=1)
    kind: str | None = None
    classes: list[str] | dict[str, str] | None = None
    modalities: list[str] | None = None
    regions: dict[str, list[int]] | None = None
    unit: str | None = None


class Mapping(_Strict):
    """The whole file; paths count from the file itself, and ``root`` is the table's folder where it is left out."""

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

    def columns(self) -> dict[str, str]:
        """Every column that the mapping names, by the key that names it."""
        found = {key: getattr(self, key) for key in ("subject", "group", "split", "path", "modality") if getattr(self, key)}
        found |= {f"modalities.{name}.path": one.path for name, one in self.modalities.items() if one.path}
        return found | {f"tasks.{name}.column": task.column for name, task in self.tasks.items()}


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
        target_type(task.model_dump(), f"{file}: task {name!r}")
    return mapping


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
