"""A run as a model folder: all that is needed to answer, nothing of the people it was trained on, in Hugging Face's layout."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from drifa.config import Config, make_config
from drifa.errors import DrifaError
from drifa.export.card import card_text
from drifa.files import digest, named, plain_modes, read_json, write_json, write_text
from drifa.networks.folder import build_undrawn, load_state
from drifa.runs.files import read_run
from drifa.runs.info import CONFIG, PREPROCESSING, RunInfo, packed
from drifa.runs.places import Places
from drifa.runs.run import Run, use_threads
from drifa.version import __version__

FORMAT = 1
WEIGHTS, CARD = "model.safetensors", "README.md"
#: What a run may have learned about its own answers, beside its networks.
LEARNED = ("calibration.json", "strangers.npz")
#: What of a study is told: its notes may name subjects and files.
STUDY = ("name", "licence", "citation", "source")
#: An absolute path, of which the last name is kept.
_PATH = re.compile(r"(?<![\w.)])(?:[A-Za-z]:)?[\\/](?:[^\\/\s:;,'\"]+[\\/])+([^\\/\s:;,'\"]+)")


@dataclass(frozen=True)
class ModelFolder(Run):
    """A model folder, opened: it answers as the run that it was packed from.

    Attributes:
        stored: Arguments of the members' factory.
    """

    stored: Mapping[str, Any] | None = None

    @classmethod
    def open(cls, folder: str | Path, places: Places | None = None) -> ModelFolder:
        """Opens what :func:`pack` wrote.

        Raises:
            DrifaError: It is none, of another format, or one of its files is missing or was changed.
        """
        folder = Path(folder)
        path = folder / CONFIG
        value = read_json(path, "fetch the folder again")
        if value is None:
            raise DrifaError(f"{folder} is not a model folder: {CONFIG} is missing; `drifa pack RUN --out FOLDER` writes one")
        if value.get("drifa_package") != FORMAT:
            number = value.get("drifa_package")
            raise DrifaError(f"{path} has package format {number!r}; this drifa ({__version__}) reads {FORMAT}")
        _check_files(folder, value.get("files"))
        settings, run, model = (value.get(key) for key in ("settings", "run", "model"))
        if not (isinstance(settings, dict) and isinstance(run, dict) and isinstance(model, dict)):
            raise DrifaError(f"{path} lacks its settings, its run or its model; fetch the folder again")
        config = make_config(settings, str(path))
        info = RunInfo.from_json(run, str(path), config.model.output)
        return cls(folder, config, info, places or Places(), model)

    def trained_members(self) -> list[int]:
        """All that were packed."""
        return list(range(self.info.members))

    def networks(self) -> list[Any]:
        """The members in evaluation mode."""
        use_threads(self.config)
        path = self.folder / WEIGHTS
        try:
            tensors = load_file(path)
        except (SafetensorError, RuntimeError) as error:
            raise DrifaError(f"weights file {path} is broken or truncated: {error}") from error
        nets = []
        for number in self.trained_members():
            start = f"members.{number}."
            net = build_undrawn(self.stored or {}, self.folder / CONFIG)
            load_state(net, {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}, path)
            nets.append(net.eval())
        return nets

    def study(self) -> Any:
        """There is none.

        Raises:
            DrifaError: Always.
        """
        raise packed(self.folder)


def open_run(folder: str | Path, places: Places | None = None) -> Run:
    """A run folder or a model folder, whichever it is."""
    folder = Path(folder)
    if (folder / "model.json").is_file() or not (folder / CONFIG).is_file():
        return Run.open(folder, places)
    return ModelFolder.open(folder, places)


def pack(run: str | Path, out: str | Path) -> Path:
    """Writes a run as a model folder, whole or not at all.

    Args:
        run: A run folder with trained members.
        out: The folder to write; must be new or empty.

    Returns:
        The folder.

    Raises:
        DrifaError: ``run`` is no run, has no trained member, or ``out`` holds something.
    """
    opened, out = Run.open(run), Path(out)
    nets = opened.networks()
    if any(net.config != nets[0].config for net in nets):
        raise DrifaError(f"the members of {run} are networks of different kinds; a model folder holds members of one kind")
    with whole_folder(out) as folder:
        tensors = {
            f"members.{number}.{key}": value.contiguous()
            for number, net in enumerate(nets)
            for key, value in net.state_dict().items()
        }
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        write_json(folder / PREPROCESSING, _preprocessing(opened, nets[0]))
        learned = [name for name in LEARNED if (opened.folder / name).is_file()]
        for name in learned:
            shutil.copyfile(opened.folder / name, folder / name)
        write_text(folder / CARD, card(opened.folder))
        told = {
            "drifa_package": FORMAT,
            "drifa_version": __version__,
            "library_name": "drifa",
            "architectures": [type(nets[0]).__name__],
            "model": nets[0].config,
            "run": _info(opened.info, len(nets)),
            "settings": _settings(opened.config),
            "files": {name: digest(folder / name) for name in (WEIGHTS, PREPROCESSING, *learned)},
        }
        write_json(folder / CONFIG, told)
    return out


def card(run: str | Path) -> str:
    """The model card of a run, see :func:`drifa.export.card.card_text`; it names no folder of this machine.

    Raises:
        DrifaError: ``run`` is no run.
    """
    return without_paths(card_text(read_run(run)))


def check_new(out: Path) -> None:
    """Refuses a place that holds something."""
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise DrifaError(f"{out} exists already; choose another place, or move it away")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A new folder that appears at its place when all of it is written."""
    check_new(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        with named(out):
            yield beside
            plain_modes(beside)
            if out.exists():
                out.rmdir()
            os.replace(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _info(info: RunInfo, members: int) -> dict[str, Any]:
    """What a run says of itself, without what tells of the machine that it was trained on."""
    told = {key: value for key, value in info.to_json().items() if key not in ("places", "token")}
    return {
        **told,
        "members": members,
        "pretrained": [without_paths(line) for line in info.pretrained],
        "study": {key: without_paths(info.study[key]) for key in STUDY if info.study.get(key)},
    }


def _settings(config: Config) -> dict[str, Any]:
    """What answering depends on. Columns and folders of the study stay at home, as does what only training reads."""
    plain = config.model_dump(mode="json")
    return {
        "data": {"study": [], "image_size": plain["data"]["image_size"]},
        "model": {"output": plain["model"]["output"]},
        "evaluate": plain["evaluate"],
    }


def _preprocessing(run: Run, net: Any) -> dict[str, Any]:
    """What is done to images before the networks see them, for readers of other programs."""
    info = run.info
    pictures = {
        name: {
            "channels": channels,
            "order": "RGB" if channels == 3 else "grey",
            "mean": list(net.normalisation.get(name, ([0.5] * channels, []))[0]),
            "std": list(net.normalisation.get(name, ([], [0.5] * channels))[1]),
        }
        for name, channels in info.modalities.items()
        if name not in info.tabular
    }
    if info.reads == "pixels":
        return {"kind": "axial slices of volumes", "side": info.image_size or "as it is", "modalities": pictures}
    return {
        "kind": "images",
        "resize": {"height": info.image_size, "width": info.image_size, "filter": "bilinear, antialiased, stretched"},
        "rescale": 1 / 255,
        "modalities": pictures,
        "tabular": info.tabular,
    }


def _check_files(folder: Path, files: Any) -> None:
    """Compares the files of a folder with what its config.json says of them."""
    if not isinstance(files, dict) or WEIGHTS not in files or not set(files) <= {WEIGHTS, PREPROCESSING, *LEARNED}:
        raise DrifaError(f"{folder / CONFIG} does not list the files of a model folder; fetch the folder again")
    for name in (*files, *LEARNED):
        path = folder / name
        if name not in files and path.exists():
            raise DrifaError(f"{path} is not of this model folder ({CONFIG} does not list it); delete it")
        if name in files and not path.is_file():
            raise DrifaError(f"{folder} lacks {name}, which its {CONFIG} lists; fetch the folder again")
        if name in files and digest(path) != files[name]:
            raise DrifaError(f"{path} was changed: its sha256 is not the one in {CONFIG}; fetch the folder again")


def without_paths(text: str) -> str:
    """Absolute paths become the names of their files; web addresses stay."""
    parts = re.split(r"(\w+://\S+)", text)
    return "".join(part if number % 2 else _PATH.sub(r"\1", part) for number, part in enumerate(parts))
