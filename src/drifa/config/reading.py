"""From YAML and overrides to a checked configuration, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

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
        drifa.errors.DrifaError: ...did you mean 'train.epochs'...
    """
    raw = read_plain(path, overrides or [])
    return make_config(raw, f"{path} with the overrides" if overrides else str(path))


def read_plain(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The plain data of a YAML file with its overrides, not checked further; study folders of a run are made absolute.

    Raises:
        DrifaError: The file is missing, not YAML, or holds no keys, or an override has no place in it.
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
    for override in overrides:
        apply_override(raw, override)
    return raw


def make_config(raw: dict[str, Any], place: str = "config") -> Config:
    """Checks plain data, on top of the defaults of its recipe; errors say where (``place``) and what."""
    filled = with_recipe(raw)
    try:
        return Config.model_validate(filled)
    except DrifaError as error:
        raise DrifaError(f"{place}: {error}") from None
    except ValidationError as error:
        raise DrifaError(f"{place}: {_explain(error, filled)}") from error


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
        raise DrifaError(f"{place}: {_explain(error, value if isinstance(value, Mapping) else {})}") from error


def _explain(error: ValidationError, raw: Mapping[str, Any]) -> str:
    problems: dict[tuple[str, ...], list[ErrorDetails]] = {}
    for problem in error.errors():
        problems.setdefault(_place(problem, raw), []).append(problem)
    first = next(iter(problems))
    # Of a value that may be of several kinds, pydantic blames the whole and its parts: the innermost part is the mistake.
    place = max((place for place in problems if place[: len(first)] == first), key=len)
    told = problems[place]
    others = sum(other[: len(first)] != first for other in problems)
    dotted, more = ".".join(place), f" (and {others} more)" if others else ""
    if told[0]["type"] == "extra_forbidden":
        return f"unknown key {dotted!r}{_meant(place)}{more}"
    if told[0]["type"] == "missing":
        return f"key {dotted!r} is missing{more}"
    reasons = dict.fromkeys(f"{problem['msg'][0].lower()}{problem['msg'][1:]}" for problem in told)
    return f"{dotted} = {short(told[0]['input'])}: {', or '.join(reasons)}{more}"


def _place(problem: ErrorDetails, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a problem is, without the kinds of value that pydantic writes among the keys."""
    found, node = [], raw
    for part in problem["loc"]:
        held = isinstance(node, Mapping) and part in node
        indexed = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if held or indexed or (problem["type"] == "missing" and part == problem["loc"][-1]):
            found.append(str(part))
            node = node[part] if held or indexed else {}  # type: ignore[index]
    return tuple(found)


def _meant(place: tuple[str, ...]) -> str:
    """The key that an unknown one may mean: the same in another section, or one like it in its own."""
    elsewhere = [f"{section}.{place[-1]}" for section in Config.model_fields if place[-1] in _keys((section,))]
    if elsewhere:
        return f" (did you mean {elsewhere[0]!r}?)"
    return suggest(place[-1], _keys(place[:-1]), before="".join(f"{part}." for part in place[:-1]))


def _keys(place: tuple[str, ...]) -> list[str]:
    """The keys of a section; of a mapping to sections, such as ``data.augment.NAME``, those of each."""
    model: Any = Config
    for part in place:
        if part in model.model_fields:
            annotation = model.model_fields[part].annotation
            model = next((kind for kind in (annotation, *get_args(annotation)) if hasattr(kind, "model_fields")), model)
    return list(model.model_fields)


def dump_config(config: Config) -> str:
    """The resolved configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
