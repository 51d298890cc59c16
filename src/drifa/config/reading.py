"""From YAML and overrides to a checked configuration, and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from drifa.config.recipes import with_recipe
from drifa.config.sections import Config
from drifa.errors import DrifaError, short, suggest
from drifa.yaml_text import parse_yaml

Kind = TypeVar("Kind")


def load_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Reads a YAML file and applies ``section.key=value`` overrides.

    Relative study and weights paths count from the working directory, as on the command line. Those in the `config.yaml` of a
    run count from its folder.

    Raises:
        DrifaError: If the file is missing or not YAML, or a key or value is wrong; names key, value and remedy.

    Examples:
        >>> from pathlib import Path
        >>> _ = Path("config.yaml").write_text("data: {study: studies/phantom}")
        >>> config = load_config("config.yaml", ["train.epochs=3"])
        >>> config.data.study, config.model.fusion, config.train.epochs
        ('studies/phantom', 'drifa', 3)
        >>> load_config("config.yaml", ["train.epoch=3"])
        Traceback (most recent call last):
        drifa.errors.DrifaError: ...did you mean 'epochs'...
    """
    path = Path(path)
    if not path.is_file():
        raise DrifaError(f"config file {path} does not exist")
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DrifaError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise DrifaError(f"{path} must hold the sections {', '.join(Config.model_fields)}")
    if path.name == "config.yaml" and _is_run(path.parent):
        _anchor_study(raw, path.parent.resolve())
    for override in overrides or []:
        apply_override(raw, override)
    return make_config(raw, f"{path} with the overrides" if overrides else str(path))


def make_config(raw: dict[str, Any], place: str = "config") -> Config:
    """Checks plain data, on top of the defaults of its recipe; errors say where (``place``) and what."""
    try:
        return Config.model_validate(with_recipe(raw))
    except DrifaError as error:
        raise DrifaError(f"{place}: {error}") from None
    except ValidationError as error:
        raise DrifaError(f"{place}: {_explain(error)}") from error


def parse_override(text: str) -> tuple[list[str], Any]:
    """Splits ``section.key=value`` into the key's parts and the value, read as YAML."""
    key, equals, value = text.partition("=")
    parts = key.split(".")
    if not equals or len(parts) < 2 or not all(parts):
        raise DrifaError(f"override {text!r} must look like section.key=value, for example train.epochs=5")
    try:
        return parts, _number(parse_yaml(value))
    except yaml.YAMLError as error:
        raise DrifaError(f"override {text!r}: {value!r} is not valid YAML") from error


def _is_run(folder: Path) -> bool:
    try:
        path = folder / "model.json"
        return path.is_file() and '"drifa_run"' in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _anchor_study(raw: dict[str, Any], folder: Path) -> None:
    """Makes the study folders of a run's configuration absolute; what is wrong in it stays wrong."""
    data = raw.get("data")
    named = data.get("study") if isinstance(data, dict) else None
    if isinstance(data, dict) and isinstance(named, str):
        data["study"] = os.path.normpath(folder / named)
    elif isinstance(data, dict) and isinstance(named, list):
        data["study"] = [os.path.normpath(folder / name) if isinstance(name, str) else name for name in named]


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; a person means a number."""
    try:
        return float(value) if isinstance(value, str) and "e" in value.lower() else value
    except ValueError:
        return value


def apply_override(raw: dict[str, Any], text: str) -> None:
    """Sets the key of ``section.key=value`` in the plain data of a configuration."""
    parts, value = parse_override(text)
    node = raw
    for part in parts[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise DrifaError(f"override {text!r}: {part!r} is not a section")
        node = child
    node[parts[-1]] = value


def checked(kind: type[Kind], value: Any, place: str) -> Kind:
    """Plain data of a file, checked to be a record of some kind; errors say where (``place``) and what."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise DrifaError(f"{place}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    problems = error.errors()
    first = problems[0]
    location = [str(part) for part in first["loc"]]
    dotted = ".".join(location)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"unknown key {dotted!r}{suggest(location[-1], _keys(location[:-1]))}{more}"
    if first["type"] == "missing":
        return f"key {dotted!r} is missing{more}"
    return f"{dotted} = {short(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}{more}"


def _keys(location: list[str]) -> list[str]:
    model: Any = Config
    for part in location:
        if part not in model.model_fields:  # inside a mapping of names
            return []
        annotation = model.model_fields[part].annotation
        model = next((kind for kind in (annotation, *get_args(annotation)) if hasattr(kind, "model_fields")), model)
    return list(model.model_fields)


def dump_config(config: Config) -> str:
    """The resolved configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
