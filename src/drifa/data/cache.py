"""The image cache: every image decoded and resized once, then read from a memory-mapped file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from drifa.data.images import read_image, resize
from drifa.data.study import Study
from drifa.errors import DrifaError
from drifa.files import atomic_path

#: Part of every key: raise it when decoding or the layout of the file changes.
CACHE_VERSION = 1

Progress = Callable[[int, int, str], None]


class ImageCache:
    """Decoded images of a study, one `.npy` file of uint8 [n, C, size, size] per modality.

    A file's name carries a hash of what is in it: path, byte count and modification time of every image, size and channels.
    So a stale image is never served, merged and selected studies share what they have in common, and an older cache is merely
    unused: the folder may be deleted at any time. Objects may be sent to other processes; each maps the files itself.

    Args:
        image_size: Side of the images in pixels.
        files: Cache file per modality.
        channels: Channel count per modality.
        positions: For each modality, the place of every table row in its file; -1 for rows of other modalities. int64 [rows].
    """

    def __init__(
        self, image_size: int, files: dict[str, Path], channels: dict[str, int], positions: dict[str, np.ndarray]
    ) -> None:
        self.image_size = image_size
        self.files = files
        self._channels = channels
        self._positions = positions
        self._maps: dict[str, np.ndarray] = {}

    @classmethod
    def build(cls, study: Study, image_size: int, folder: str | Path, progress: Progress | None = None) -> ImageCache:
        """Opens the cache of a study, decoding what is not there yet.

        Args:
            study: Any study.
            image_size: Side in pixels to which every image is stretched.
            folder: Where cache files lie; several studies may share it.
            progress: Called as ``progress(done, total, modality)`` while images are decoded; not called for a finished cache.

        Raises:
            DrifaError: An image is missing or unreadable, or images changed while they were read. Nothing half-written stays.
        """
        files, positions = {}, {}
        channels = {name: modality.channels for name, modality in study.modalities.items()}
        paths = np.array([os.path.join(study.root, path) for path in study.table["path"]], dtype=object)
        modality_of_row = study.table["modality"].to_numpy(dtype=object)
        for name in study.modalities:
            rows = np.flatnonzero(modality_of_row == name)
            # Sorted by path, so that row order, split and merging do not matter to the key.
            unique, place = np.unique(paths[rows].astype(str), return_inverse=True)
            positions[name] = np.full(len(paths), -1, dtype=np.int64)
            positions[name][rows] = place.reshape(-1)
            key = _key(unique, image_size, channels[name])
            files[name] = Path(folder) / f"{name}-{image_size}px-{key[:24]}.npy"
            shape = (len(unique), channels[name], image_size, image_size)
            if not _is_complete(files[name], shape):
                _decode(files[name], unique, shape, key, name, progress)
        return cls(image_size, files, channels, positions)

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
        if modality not in self.files:
            raise DrifaError(f"the image cache holds {', '.join(self.files)}, not {modality!r}")
        rows = np.asarray(rows, dtype=np.int64)
        pixels = np.zeros((len(rows), self._channels[modality], self.image_size, self.image_size), dtype=np.uint8)
        wanted = np.flatnonzero(rows != -1)
        place = self._positions[modality][rows[wanted]]
        if (place < 0).any():
            wrong = int(rows[wanted][place < 0][0])
            raise DrifaError(
                f"row {wrong} of the study's table is not an image of {modality!r}; pass rows of that modality, or -1"
            )
        if modality not in self._maps:
            self._maps[modality] = np.lib.format.open_memmap(self.files[modality], mode="r")
        pixels[wanted] = self._maps[modality][place]
        return torch.from_numpy(pixels)

    def __getstate__(self) -> dict[str, object]:
        # A memory map would be pickled as the array that it maps.
        return {**self.__dict__, "_maps": {}}


def _key(paths: np.ndarray, image_size: int, channels: int) -> str:
    digest = hashlib.sha256(f"{CACHE_VERSION}\0{image_size}\0{channels}".encode())
    for path in paths:
        try:
            status = os.stat(path)
        except OSError as error:
            raise DrifaError(
                f"image {path} cannot be opened ({error.strerror}); correct 'root' in study.yaml or the study's paths"
            ) from None
        digest.update(f"\0{path}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _is_complete(path: Path, shape: tuple[int, ...]) -> bool:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError):
        return False
    return array.shape == shape and array.dtype == np.uint8


def _decode(
    target: Path, paths: np.ndarray, shape: tuple[int, ...], key: str, modality: str, progress: Progress | None
) -> None:
    _, channels, size, _ = shape

    def one(path: str) -> np.ndarray:
        return resize(read_image(path, channels), size).transpose(2, 0, 1)

    # Written in order through a plain file: a full disk is then an error, not the crash that a memory map would give.
    workers = os.cpu_count() or 1
    step = 32 * workers
    with atomic_path(target) as temporary, ThreadPoolExecutor(workers) as pool:
        with open(temporary, "wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for start in range(0, len(paths), step):
                file.write(np.stack(list(pool.map(one, paths[start : start + step]))).tobytes())
                if progress is not None:
                    progress(min(start + step, len(paths)), len(paths), modality)
        if _key(paths, size, channels) != key:
            raise DrifaError(
                f"images of {modality!r} changed while they were being cached; try again when nothing writes to them"
            )
