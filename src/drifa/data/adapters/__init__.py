"""Known datasets: one file each. A new adapter is one file here and one line in ``ADAPTERS``."""

from __future__ import annotations

from pathlib import Path

from drifa.data.adapters.base import Adapter
from drifa.data.adapters.ham10000 import Ham10000
from drifa.data.adapters.sipakmed import Sipakmed
from drifa.data.study import Study
from drifa.errors import DrifaError, suggest

__all__ = ["ADAPTERS", "Adapter", "prepare"]

ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        Ham10000(),
        Sipakmed(),
    )
}


def prepare(name: str, folder: str | Path, out: str | Path) -> Study:
    """Turns a dataset's folder into a study folder.

    Args:
        name: A key of ``ADAPTERS``.
        folder: The dataset as it was downloaded and unpacked; it is only read, and the study points into it.
        out: Study folder to write.

    Raises:
        DrifaError: An unknown name, no such folder, or a folder that does not hold the dataset.
    """
    if name not in ADAPTERS:
        raise DrifaError(f"unknown dataset {name!r}{suggest(name, ADAPTERS)}")
    folder = Path(folder)
    if not folder.is_dir():
        raise DrifaError(
            f"no folder at {folder}; give the folder that holds {ADAPTERS[name].title!r} from {ADAPTERS[name].source}"
        )
    study = ADAPTERS[name].prepare(folder.resolve())
    study.save(out)
    return study
