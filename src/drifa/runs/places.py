"""Where the folders lie that a run needs and does not hold: its study, and the cache of decoded images."""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drifa.config import Config
from drifa.data.splits.receipts import RECEIPT_FILE
from drifa.errors import DrifaError

#: What may be told of an existing run, as ``data.study=FOLDER``.
SETTINGS = ("data.study", "data.cache")


@dataclass(frozen=True)
class Places:
    """What somebody says of the folders of a run, instead of what the run says.

    Attributes:
        study: Its study folders, in the order of ``data.study``; empty for none said.
        cache: Folder of decoded images; empty for none said.
    """

    study: tuple[str, ...] = ()
    cache: str = ""

    @classmethod
    def of(cls, settings: Sequence[tuple[list[str], Any]]) -> Places:
        """Reads what :func:`drifa.config.parse_override` gave of ``data.study=…`` and ``data.cache=…``.

        Raises:
            DrifaError: Another setting, or a value that names no folder.
        """
        found: dict[str, list[str]] = {}
        for keys, value in settings:
            name = ".".join(keys)
            folders = value if isinstance(value, list) else [value]
            if name not in SETTINGS:
                raise DrifaError(f"{name} cannot be set for a run that exists; what can be said is {' and '.join(SETTINGS)}")
            if not folders or not all(isinstance(folder, str) and folder for folder in folders):
                raise DrifaError(f"{name}={value!r} names no folder; write {name}=FOLDER")
            found[name] = [os.path.abspath(folder) for folder in folders]
        return cls(tuple(found.get("data.study", ())), next(iter(found.get("data.cache", ())), ""))


#: The run is believed.
AS_STORED = Places()


def from_run(folder: Path, config: Config) -> Config:
    """A configuration with study folders as the `config.yaml` of a run holds them: relative to it, so that both can move."""
    config = config.model_copy(deep=True)
    config.data.study = [_relative(Path(study).resolve(), folder.resolve()) for study in config.data.studies]
    return config


def _relative(study: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(study, folder)).as_posix()
    except ValueError:  # on another drive
        return str(study)


def study_places(folder: Path, config: Config, trained_on: Sequence[str], told: Places) -> list[tuple[str, ...]]:
    """Where the study folders of a run are there, the first choice first.

    Args:
        folder: Of the run.
        config: Its configuration as read, with absolute paths.
        trained_on: Where they lay when it was trained.
        told: What the caller says; then nothing else is looked at.

    Raises:
        DrifaError: They are in none of these places.
    """
    asked = [told.study] if told.study else list(dict.fromkeys([tuple(config.data.studies), tuple(trained_on)]))
    asked = [folders for folders in asked if folders]
    found = [folders for folders in asked if all(_is_study(Path(one)) for one in folders)]
    if found:
        return found
    raise DrifaError(
        f"the study of the run {folder} is not in {' or '.join(', '.join(folders) for folders in asked)}; say where it is with "
        f"data.study=FOLDER, or correct data.study in {folder / 'config.yaml'}"
    )


def _is_study(folder: Path) -> bool:
    return folder.is_file() or (folder / "study.yaml").is_file()


def another_study(folder: Path, folders: Sequence[str]) -> DrifaError:
    """What is wrong with study folders whose subjects are not those of the run."""
    return DrifaError(
        f"{', '.join(folders)} is not the study that the run {folder} was trained on: its subjects are not those of "
        f"{folder / RECEIPT_FILE} (another sha256); name the right one with data.study=FOLDER, or judge the run on this one "
        f"with `drifa evaluate {folder} --study {folders[0]} --split all`"
    )


def cache_root(folder: Path, config: Config, token: str, told: Places) -> Path:
    """Where the decoded images of a run lie.

    That is `data.cache` only if the training wrote the run's token there: a run that somebody sends must not choose where this
    machine is written to. Else it is `.cache` beside the run.
    """
    stored = config.data.cache
    if told.cache:
        return Path(told.cache)
    if stored and _mark(Path(stored), token).is_file():
        return Path(stored)
    root = folder.resolve().parent / ".cache"
    if stored:
        logging.getLogger("drifa").warning(
            "%s was not trained with the cache %s on this machine, so %s is used; another one is chosen with data.cache=FOLDER",
            *(folder, stored, root),
        )
    return root


def allow_cache(root: Path, token: str = "") -> str:
    """Lets a run use a cache folder from now on, and returns the token that its `model.json` keeps."""
    token = token if re.fullmatch("[0-9a-f]{32}", token) else uuid.uuid4().hex
    mark = _mark(root, token)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return token


def _mark(root: Path, token: str) -> Path:
    return root / "runs" / (token if re.fullmatch("[0-9a-f]{32}", token) else "none")
