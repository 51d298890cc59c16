"""Known datasets, one file each, and two ways for own data. A new adapter is one file here and one line in ``ADAPTERS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from drifa.data.adapters.base import Adapter
from drifa.data.adapters.brats import Brats
from drifa.data.adapters.folders import OPTIONS, prepare_folders
from drifa.data.adapters.ham10000 import Ham10000
from drifa.data.adapters.iqothnccd import IqOthNccd
from drifa.data.adapters.nickparvar import Nickparvar
from drifa.data.adapters.pictures import FOLDER
from drifa.data.adapters.sipakmed import Sipakmed
from drifa.data.adapters.table import prepare_table
from drifa.data.study.study import Study
from drifa.errors import DrifaError, suggest

__all__ = ["ADAPTERS", "OWN", "Adapter", "prepare", "prepare_folders", "prepare_table"]

#: What is written into a study folder beside `study.yaml` and `study.csv`, and belongs to that table only.
OF_A_TABLE = ("split.csv", "split_receipt.json", "audit.json")
ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        Ham10000(),
        Sipakmed(),
        Nickparvar(),
        IqOthNccd(),
        Brats(),
    )
}
#: Ways for data of one's own, with one line for people.
OWN = {
    "folders": "your own images in folders by class",
    "table": "your own CSV or Parquet table, with a mapping of its columns in YAML",
}


def prepare(
    name: str, folder: str | Path, out: str | Path, options: Mapping[str, str] | None = None, overwrite: bool = False
) -> Study:
    """Turns a dataset's folder into a study folder.

    Args:
        name: A key of ``ADAPTERS``, or of ``OWN``.
        folder: The dataset as it was downloaded and unpacked, or the mapping file of ``table``; it is only read, and the study
            points into it, but for images that lie inside a table.
        out: Study folder to write.
        options: What the adapter takes beside the folder.
        overwrite: Replace the study that ``out`` holds, with its split, receipt and audit.

    Raises:
        DrifaError: An unknown name or option, no such folder, a folder that does not hold the dataset, or a study in ``out``.
    """
    check_known(name)
    adapter = ADAPTERS.get(name)
    known = adapter.options if adapter else OPTIONS if name == "folders" else {}
    for key in options or {}:
        if key not in known:
            rest = suggest(key, known) if known else "; it takes none"
            raise DrifaError(f"unknown option {key!r} of {name}{rest}")
    folder, out = Path(folder), Path(out)
    check_new(out, overwrite)
    if name == "table":
        if folder.is_dir():
            raise DrifaError(f"{folder} is a folder; give the YAML file that names your table and its columns")
        if not folder.is_file():
            raise DrifaError(f"no mapping file at {folder}; give the YAML file that names your table and its columns")
    elif not folder.is_dir():
        what = f"that holds {adapter.title!r} from {adapter.source}" if adapter else "above your class folders"
        raise DrifaError(f"no folder at {folder}; give the folder {what}")
    ways: dict[str, Callable[..., Any]] = {
        "folders": prepare_folders,
        "table": partial(prepare_table, pictures=out.resolve() / FOLDER),
    }
    way = adapter.prepare if adapter else ways[name]
    study: Study = way(folder.resolve(), **(options or {}))
    study.save(out, stale_in(out, study))
    return study


def check_known(name: str) -> None:
    """Refuses what is neither a known dataset nor a way for data of one's own.

    Raises:
        DrifaError: An unknown name.
    """
    if name not in ADAPTERS and name not in OWN:
        raise DrifaError(f"unknown dataset {name!r}{suggest(name, (*ADAPTERS, *OWN, 'phantom'))}")


def check_new(out: Path, overwrite: bool) -> None:
    """Refuses to write over a study unless asked to.

    Raises:
        DrifaError: ``out`` holds a study, or is a file.
    """
    if out.exists() and not out.is_dir():
        raise DrifaError(f"{out} is a file; choose a new folder for the study with --out")
    if (out / "study.yaml").exists() and not overwrite:
        raise DrifaError(f"{out} already holds a study; choose a new --out, or replace it and its split with --overwrite")


def stale_in(out: Path, study: Study | None = None) -> list[Path]:
    """What a study folder may hold of a table that is about to be replaced: its split, receipt and audit, and images that lay
    inside it and are none of the new study."""
    kept = set() if study is None else {study.image_path(row).resolve() for row in range(len(study.table))}
    pictures = [path for path in (out / FOLDER).rglob("*") if path.is_file() and path.resolve() not in kept]
    return [*(out / name for name in OF_A_TABLE), *pictures]
