"""To and from the Hugging Face hub; its package is asked for only here."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from drifa.errors import DrifaError
from drifa.export.folder import CARD, CONFIG, LEARNED, PREPROCESSING, WEIGHTS, ModelFolder, check_new, pack
from drifa.networks.arguments import path_of
from drifa.runs.run import Run

#: All that is fetched: nothing else of a repository is of use.
FETCHED = (CONFIG, WEIGHTS, PREPROCESSING, CARD, *LEARNED)


def save(run: Run, folder: str | Path) -> Path:
    """A run, or a model folder once more, as a new model folder."""
    if not isinstance(run, ModelFolder):
        return pack(run.folder, folder)
    check_new(Path(folder))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in sorted(FETCHED, key=lambda name: name == CONFIG):  # config.json, which makes it a model folder, last
        if (run.folder / name).is_file():
            shutil.copyfile(run.folder / name, Path(folder) / name)
    return Path(folder)


def fetch(name: str | Path, revision: str | None = None) -> Path:
    """A folder on this machine as it is, or the local copy of a repository of the hub.

    Raises:
        DrifaError: It is neither, or ``huggingface_hub`` is missing.
    """
    if path_of("from_pretrained", name).is_dir():
        return Path(name)
    hub = _hub(f"{name} is no folder on this machine, and to fetch it from the hub")
    try:
        return Path(hub.snapshot_download(str(name), revision=revision, allow_patterns=list(FETCHED)))
    except Exception as error:  # the hub raises its own kinds, and those of its transport
        raise DrifaError(_failure(f"model {name} cannot be fetched", error)) from error


def push(run: Run, repository: str, private: bool = True) -> str:
    """Sends a model folder to the hub, and returns its address.

    Raises:
        DrifaError: It cannot be sent, or ``huggingface_hub`` is missing.
    """
    hub = _hub("to send a model to the hub")
    with tempfile.TemporaryDirectory(prefix="drifa-") as folder:
        packed = save(run, Path(folder) / "model")
        try:
            api = hub.HfApi()
            api.create_repo(repository, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repository, folder_path=packed))
        except Exception as error:  # as above
            raise DrifaError(_failure(f"model {repository} cannot be sent", error)) from error


def _hub(why: str) -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise DrifaError(f"{why} takes another package: pip install huggingface_hub") from None
    return huggingface_hub


def _failure(what: str, error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return f"{what} ({type(error).__name__}: {lines[0]}); correct its name, the connection or the login"
