"""The image cache: every image decoded and resized once, then read from memory-mapped files (shards)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from drifa.data.cache.mapped import MappedFiles
from drifa.data.cache.shards import Shard, decode, image_states, is_complete, mark_used, plan_shards
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from drifa.progress import Progress


class ImageCache:
    """Decoded images of a study, in shards: `.npy` files of uint8 [n, C, size, size], some thousands of images each.

    A shard's name carries a hash of what is in it: path, byte count and times of change of every image, size and channels.
    So a stale image is never served, a changed or added image costs its own shard only, a build that was killed goes on where
    it stopped, merged and selected studies share what they have in common, and an older cache is merely unused: the folder may
    be deleted at any time. Objects may be sent to other processes.

    Args:
        image_size: Side of the images in pixels.
        files: Shards per modality.
        starts: For each modality, the place of the first image of every shard, and the number of images. int64 [shards + 1].
        channels: Channel count per modality.
        positions: For each modality, the place of every table row in its shards; -1 for rows of other modalities. int32 [rows].
    """

    def __init__(
        self,
        image_size: int,
        files: dict[str, list[Path]],
        starts: dict[str, np.ndarray],
        channels: dict[str, int],
        positions: dict[str, np.ndarray],
    ) -> None:
        self.image_size = image_size
        self.files = files
        self.starts = starts
        self._channels = channels
        self._positions = positions
        self._mapped = MappedFiles()

    @classmethod
    def build(cls, study: Study, image_size: int, folder: str | Path, progress: Progress | None = None) -> ImageCache:
        """Opens the cache of a study, decoding what is not there yet.

        Args:
            study: Any study.
            image_size: Side in pixels to which every image is stretched.
            folder: Where shards lie; several studies and several processes may share it.
            progress: Called as ``progress(done, total, modality)`` while images are decoded; not called for a finished cache.

        Raises:
            DrifaError: An image is missing or unreadable, images changed while they were read, or the disk is full. Nothing
                half-written stays; finished shards do.
        """
        files, starts, positions = {}, {}, {}
        channels = {name: modality.channels for name, modality in study.modalities.items() if not modality.columns}
        modality_of_row = study.table["modality"].to_numpy(dtype=object)
        table_paths = study.table["path"].to_numpy(dtype=object)
        for name in channels:
            rows = np.flatnonzero(modality_of_row == name)
            # Sorted by path, so that row order, split and merging do not matter to the keys.
            place, unique = pd.factorize(table_paths[rows], sort=True)
            positions[name] = np.full(len(table_paths), -1, dtype=np.int32)
            positions[name][rows] = place
            paths = [os.path.join(study.root, path) for path in unique]
            shape = (channels[name], image_size, image_size)
            shards = plan_shards(Path(folder), name, paths, image_states(paths), shape)
            files[name] = [shard.file for shard in shards]
            starts[name] = np.cumsum([0, *(len(shard.paths) for shard in shards)])
            _build_missing(shards, name, progress)
            mark_used(files[name])
        return cls(image_size, files, starts, channels, positions)

    def read(self, modality: str, rows: np.ndarray) -> torch.Tensor:
        """Images of one modality.

        Args:
            modality: Its name.
            rows: Row numbers of the study's table; -1 gives an image of zeros.

        Shape:
            rows int64 [n] -> uint8 [n, C, size, size].

        Raises:
            DrifaError: An unknown modality, or a row that holds another modality's image.
        """
        rows = np.asarray(rows, dtype=np.int64)
        wanted = np.flatnonzero(rows != -1)
        places = self.places(modality, rows[wanted])
        shape = (self._channels[modality], self.image_size, self.image_size)
        pixels = np.zeros((len(rows), *shape), dtype=np.uint8)
        self._mapped.copy(self.files[modality], self.starts[modality], places, pixels, wanted)
        return torch.from_numpy(pixels)

    def places(self, modality: str, rows: np.ndarray) -> np.ndarray:
        """Where the images of some rows stand in the modality's shards: int64 ``[n]``, rows and errors as in :meth:`read`."""
        if modality not in self.files:
            raise DrifaError(f"the image cache holds {', '.join(self.files)}, not {modality!r}")
        places = self._positions[modality][rows]
        if (places < 0).any():
            wrong = int(rows[places < 0][0])
            raise DrifaError(
                f"row {wrong} of the study's table is not an image of {modality!r}; pass rows of that modality, or -1"
            )
        return places

    def at(self, modality: str, places: np.ndarray) -> torch.Tensor:
        """The images at some places of the modality's shards: int64 ``[n]`` -> uint8 ``[n, C, size, size]``."""
        pixels = np.empty((len(places), self._channels[modality], self.image_size, self.image_size), dtype=np.uint8)
        self._mapped.copy(self.files[modality], self.starts[modality], places, pixels, np.arange(len(places)))
        return torch.from_numpy(pixels)


def _build_missing(shards: list[Shard], modality: str, progress: Progress | None) -> None:
    missing = [shard for shard in shards if not is_complete(shard)]
    total, done = sum(len(shard.paths) for shard in missing), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total, modality)

    for shard in missing:
        # Another process may have made it in the meantime.
        if is_complete(shard):
            advance(len(shard.paths))
        else:
            decode(shard, modality, advance)
