"""Rows of many memory-mapped files as if they were one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from drifa.errors import DrifaError

#: Files kept open by one cache. Each holds a file descriptor, of which a process may have few; opening another is cheap.
OPEN_SHARDS = 128


class MappedFiles:
    """Opens `.npy` files when they are asked for. Objects may be sent to other processes; each maps the files itself."""

    def __init__(self) -> None:
        self._open: dict[Path, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._open)

    def copy(self, files: Sequence[Path], starts: np.ndarray, places: np.ndarray, to: np.ndarray, rows: np.ndarray) -> None:
        """Copies rows that lie in several files.

        Args:
            files: One behind the other.
            starts: The place of the first row of every file, and the number of all rows. int64 ``[files + 1]``
            places: Which rows. int64 ``[n]``
            to: Array that they are written into.
            rows: Where in it. int64 ``[n]``
        """
        owner = np.searchsorted(starts, places, side="right") - 1
        for number in np.unique(owner).tolist():
            here = owner == number
            to[rows[here]] = self._map(files[number])[places[here] - starts[number]]

    def _map(self, file: Path) -> np.ndarray:
        found = self._open.get(file)
        if found is None:
            while len(self._open) >= OPEN_SHARDS:
                del self._open[next(iter(self._open))]
            try:
                found = self._open[file] = np.lib.format.open_memmap(file, mode="r")
            except FileNotFoundError:
                raise DrifaError(f"{file} was deleted while it was in use; start again, and it is built anew") from None
        return found

    def __getstate__(self) -> dict[str, object]:
        # A memory map would be pickled as the array that it maps.
        return {"_open": {}}
