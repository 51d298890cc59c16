"""The run folder: what one training writes, and how everything downstream finds it."""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from drifa.config import Config, dump_config, load_config, make_config
from drifa.data import ImageCache, Study, apply_split
from drifa.data.cache.map_cache import MapCache
from drifa.data.cache.volume_cache import VolumeCache
from drifa.data.splits.receipts import fits_split
from drifa.data.tabular import TabularEncoder, WithColumns, add_tabular
from drifa.errors import DrifaError
from drifa.files import read_json, refuse_links_outside, write_json, write_text
from drifa.networks import load_model
from drifa.networks.folder import read_config
from drifa.runs.encoded import with_maps
from drifa.runs.info import WRITTEN, RunInfo, refuse_packed
from drifa.runs.places import AS_STORED, Places, another_study, cache_root, from_run, study_places
from drifa.version import __version__


@dataclass(frozen=True)
class Run:
    """A run folder that exists.

    Attributes:
        folder: Its path.
        config: The resolved configuration.
        info: What model.json says: names, sizes, tasks, study.
        places: What the caller says of its study and its cache.
    """

    folder: Path
    config: Config
    info: RunInfo
    places: Places = AS_STORED

    @classmethod
    def open(cls, folder: str | Path, places: Places | None = None) -> Run:
        """Opens a run folder.

        Args:
            folder: Its path.
            places: Where its study and its cache are, if not where the run says.

        Raises:
            DrifaError: If it is none, another format version wrote it, or a link in it leads out of it.
        """
        folder = Path(folder)
        path = folder / "model.json"
        if not path.is_file() or not (folder / "config.yaml").is_file():
            refuse_packed(folder)
            begun = (folder / "split_receipt.json").is_file() and not path.is_file()
            remedy = f"its training was stopped before it began: `drifa train CONFIG --out {folder}` begins it anew"
            raise DrifaError(
                f"{folder} is not a run folder (model.json or config.yaml is missing); "
                f"{remedy if begun else '`drifa train` makes one'}"
            )
        value = read_json(path, "restore it, or train the run again") or {}
        refuse_links_outside(folder, WRITTEN)
        config = load_config(folder / "config.yaml")
        return cls(folder, config, RunInfo.from_json(value, str(path), config.model.output), places or AS_STORED)

    def member(self, number: int) -> Path:
        """Folder of one member, counted from 0."""
        return self.folder / "members" / str(number)

    def is_trained(self, number: int) -> bool:
        """Whether a member has all the epochs that the run wants, or stopped early; its config.json, written last, tells."""
        if not (self.member(number) / "config.json").is_file():
            return False
        told = read_config(self.member(number)).get("training")
        if not told:
            return True
        epochs = told.get("epochs") if isinstance(told, dict) else None
        if not isinstance(epochs, int):
            raise DrifaError(
                f"{self.member(number) / 'config.json'} does not tell the epochs of its training; delete it, and continue "
                f"with `drifa train --resume {self.folder}`"
            )
        return epochs >= self.config.train.epochs or bool(told.get("stopped_early"))

    def trained_members(self) -> list[int]:
        """Numbers of the members whose training is complete.

        Raises:
            DrifaError: If there is none.
        """
        found = self._trained()
        if not found:
            raise DrifaError(self.told_of_members())
        if len(found) < self.config.train.members:
            logging.getLogger("drifa").warning(self.told_of_members())
        return found

    def told_of_members(self) -> str:
        """A sentence where the training of a member is not complete; empty where all are."""
        found, wanted = len(self._trained()), self.config.train.members
        if found == wanted:
            return ""
        remedy = f"continue with `drifa train --resume {self.folder}`"
        if not found:
            return f"{self.folder} has no completely trained member; {remedy}"
        return f"{self.folder} has {found} of {wanted} members completely trained; the others are left out: {remedy}"

    def _trained(self) -> list[int]:
        return [number for number in range(self.config.train.members) if self.is_trained(number)]

    def networks(self) -> list[Any]:
        """The trained members in evaluation mode; also applies the run's number of CPU threads."""
        use_threads(self.config)
        return [load_model(self.member(number)) for number in self.trained_members()]

    def judged_by(self, settings: Mapping[str, Any]) -> Run:
        """The same run under other settings of ``evaluate``, such as ``{"passes": 0}``.

        Raises:
            DrifaError: A setting is not known or its value does not fit.
        """
        raw = self.config.model_dump(mode="json")
        raw["evaluate"] |= settings
        return replace(self, config=make_config(raw, "evaluate"))

    def study(self) -> Study:
        """The study of the run with the run's own split.

        Looked for where the caller said, else where `config.yaml` says, relative to the run, else where it lay in training.

        Raises:
            DrifaError: It is in none of these places, or another study is.
        """
        found = study_places(self.folder, self.config, self.info.places, self.places)
        for folders in found:
            study = load_study(self.config, folders)
            if fits_split(study, self.folder):
                return apply_split(study, self.folder)
        raise another_study(self.folder, found[0])

    def cache(self, study: Study, progress: Any = None, nets: Sequence[Any] = ()) -> Any:
        """The decoded images, or the slices, of a study at the run's size; built if needed. With the encoded columns.

        Args:
            study: Any study.
            progress: Called with (done, total, what).
            nets: The networks that will read: maps of the frozen encoders that they share stand in for images.
        """
        root = cache_root(self.folder, self.config, self.info.token, self.places)
        cache = build_cache(self.config, root, study, progress, nets)
        encoders = self.encoders
        return WithColumns(cache, study.table, encoders) if encoders else cache

    @property
    def encoders(self) -> dict[str, TabularEncoder]:
        """How the tabular modalities are encoded, as learned from the training split."""
        return {name: TabularEncoder.from_json(columns) for name, columns in self.info.tabular.items()}


def build_cache(
    config: Config, root: Path, study: Study, progress: Any = None, nets: Sequence[Any] = ()
) -> ImageCache | MapCache | VolumeCache:
    """The decoded images (or their maps, see :func:`with_maps`, or slices of volumes) in the cache folder ``root``."""
    if study.reads() == "pixels":
        return VolumeCache.build(study, root, size=config.data.image_size, progress=progress)
    images = ImageCache.build(study, config.data.image_size, root, progress=progress)
    return with_maps(config, images, nets, root, choose_device(config), progress)


def with_tabular(study: Study, config: Config) -> Study:
    """The study with the tabular modalities that a configuration makes of its columns."""
    for name, columns in config.data.tabular.items():
        study = add_tabular(study, name, columns)
    return study


def load_study(config: Config, folders: Sequence[str] = ()) -> Study:
    """The study that a configuration names, or that lies in ``folders``: merged, with the chosen modalities and tasks."""
    studies = [Study.load(folder) for folder in folders or config.data.studies]
    study = studies[0] if len(studies) == 1 else Study.merge(studies)
    study = with_tabular(study, config)
    if not config.data.modalities and not config.data.tasks:
        return study
    return study.select(config.data.modalities or list(study.modalities), config.data.tasks or None)


def write_run(folder: Path, config: Config, info: RunInfo) -> Run:
    """Writes config.yaml, environment.json and, last, model.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.yaml", dump_config(from_run(folder, config)))
    write_json(folder / "environment.json", environment())
    write_json(folder / "model.json", info.to_json())
    return Run.open(folder)


def choose_device(config: Config) -> torch.device:
    """Where a run's networks answer: the GPU where there is one, unless the run says ``train.accelerator=cpu``."""
    accelerator = config.train.accelerator
    if accelerator == "mps" and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cuda" if torch.cuda.is_available() and accelerator != "cpu" else "cpu")


def use_threads(config: Config) -> None:
    """Applies ``train.threads``; 0 leaves torch's default."""
    if config.train.threads:
        torch.set_num_threads(config.train.threads)


def environment() -> dict[str, str]:
    """Versions and hardware, as text."""
    packages = ("torch", "torchvision", "timm", "lightning", "numpy", "pandas", "pillow", "safetensors")
    found = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "drifa": __version__, "python": sys.version.split()[0]}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["system"] = f"{platform.system()} {platform.machine()}"
    found["cpu_threads"] = str(torch.get_num_threads())
    found["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return found
