"""The cache of maps: what a frozen encoder gives for every image, computed once and read in place of the image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from drifa.data.cache import shards
from drifa.data.cache.image_cache import ImageCache
from drifa.data.cache.mapped import MappedFiles
from drifa.data.cache.shards import mark_used, written
from drifa.errors import DrifaError
from drifa.progress import Progress

#: Part of every key: raise it when the layout of the files changes.
CACHE_VERSION = 1
#: Images that go through an encoder at once.
BATCH = 32


@dataclass(frozen=True)
class MapEncoder:
    """A frozen encoder as the cache sees it.

    Attributes:
        key: Hash of all that decides its maps but the image: weights, arguments, what images are standardised by.
        shapes: Of one image's maps, per level: channels, height, width.
        encode: uint8 ``[n, C, size, size]`` -> per level float ``[n, C_k, H_k, W_k]``.
    """

    key: str
    shapes: tuple[tuple[int, ...], ...]
    encode: Callable[[Tensor], list[Tensor]]

    @property
    def width(self) -> int:
        """Numbers per image."""
        return sum(int(np.prod(shape)) for shape in self.shapes)


@dataclass(frozen=True)
class _Part:
    """The images of one file: their places in the modality's image shards are ``start`` … ``stop`` - 1."""

    file: Path
    start: int
    stop: int
    width: int

    def is_complete(self) -> bool:
        try:
            array = np.lib.format.open_memmap(self.file, mode="r")
        except (OSError, ValueError):
            return False
        return array.shape == (self.stop - self.start, self.width) and array.dtype == np.float16


class MapCache:
    """Maps of frozen encoders in place of the images of a study: `.npy` files of float16 [n, numbers of all levels].

    A file's name carries a hash of the shard of the image cache that it was made from and of the encoder. So a stale map is
    never served, a build that was killed goes on behind its last whole file, and networks of the same encoder share all of
    them. Objects may be sent to other processes.

    Args:
        images: Gives the modalities without an encoder.
        shapes: Modality -> the shapes of its encoder's maps.
        files: Of those modalities.
        starts: Of those modalities: the place of the first image of every file, and the number of images. int64 [files + 1].
    """

    def __init__(
        self,
        images: ImageCache,
        shapes: Mapping[str, tuple[tuple[int, ...], ...]],
        files: Mapping[str, list[Path]],
        starts: Mapping[str, np.ndarray],
    ) -> None:
        self.images, self.shapes, self.files, self.starts = images, shapes, files, starts
        self._mapped = MappedFiles()

    @classmethod
    def build(
        cls,
        images: ImageCache,
        encoders: Mapping[str, MapEncoder],
        folder: str | Path,
        most_gb: float,
        progress: Progress | None = None,
    ) -> MapCache:
        """Opens the maps of all images of a cache, computing what is not there yet.

        Args:
            images: The images.
            encoders: Modality -> its encoder.
            folder: Where the files lie; that of the images will do.
            most_gb: What all maps of these images together may take, in 10^9 bytes.
            progress: Called as ``progress(done, total, what)`` while maps are computed.

        Raises:
            DrifaError: The maps are too large, for the bound or for 16 bit, or the disk is full. Nothing half-written stays;
                finished files do.
        """
        parts = {name: _plan(images, name, encoder, Path(folder)) for name, encoder in encoders.items()}
        size = sum(2 * part.width * (part.stop - part.start) for own in parts.values() for part in own)
        if size > most_gb * 1e9:
            raise DrifaError(
                f"the maps of the frozen encoder of {' and '.join(encoders)} would take {size / 1e9:.3g} GB, more than "
                f"data.maps_gb={most_gb:g}; raise it, or set it to 0 and the encoder runs every epoch, or take fewer maps: "
                f"out_indices in model.backbone_args"
            )
        for name, own in parts.items():
            missing = [part for part in own if not part.is_complete()]
            total, done = sum(part.stop - part.start for part in missing), 0
            for part in missing:
                # Another process may have made it in the meantime.
                if not part.is_complete():
                    _encode(part, images, name, encoders[name])
                done += part.stop - part.start
                if progress is not None:
                    progress(done, total, f"maps of {name}")
            mark_used([part.file for part in own])
        return cls(
            images,
            {name: encoder.shapes for name, encoder in encoders.items()},
            {name: [part.file for part in own] for name, own in parts.items()},
            {name: np.array([0, *(part.stop for part in own)]) for name, own in parts.items()},
        )

    def read(self, modality: str, rows: np.ndarray) -> Tensor | list[Tensor]:
        """The maps of images of one modality, or the images where it has no encoder here.

        Args:
            modality: Its name.
            rows: Row numbers of the study's table; -1 gives zeros.

        Shape:
            rows int64 [n] -> per level float16 [n, C_k, H_k, W_k], or uint8 [n, C, size, size].

        Raises:
            DrifaError: An unknown modality, or a row that holds another modality's image.
        """
        if modality not in self.shapes:
            return self.images.read(modality, rows)
        rows = np.asarray(rows, dtype=np.int64)
        wanted = np.flatnonzero(rows != -1)
        sizes = [int(np.prod(shape)) for shape in self.shapes[modality]]
        numbers = np.zeros((len(rows), sum(sizes)), dtype=np.float16)
        places = self.images.places(modality, rows[wanted])
        self._mapped.copy(self.files[modality], self.starts[modality], places, numbers, wanted)
        levels = torch.from_numpy(numbers).split(sizes, dim=1)
        return [level.unflatten(1, shape) for level, shape in zip(levels, self.shapes[modality], strict=True)]


def _plan(images: ImageCache, modality: str, encoder: MapEncoder, folder: Path) -> list[_Part]:
    """Cuts every shard of images into files of about :data:`~drifa.data.cache.shards.SHARD_BYTES`."""
    starts, most = images.starts[modality].tolist(), max(1, shards.SHARD_BYTES // (2 * encoder.width))
    parts = []
    for shard, first, end in zip(images.files[modality], starts[:-1], starts[1:], strict=True):
        for start in range(first, end, most):
            stop = min(start + most, end)
            told = f"{CACHE_VERSION}\0{encoder.key}\0{encoder.shapes}\0{shard.name}\0{start - first}\0{stop - first}"
            key = hashlib.sha256(told.encode()).hexdigest()[:24]
            parts.append(_Part(folder / f"{modality}-maps-{images.image_size}px-{key}.npy", start, stop, encoder.width))
    return parts


def _encode(part: _Part, images: ImageCache, modality: str, encoder: MapEncoder) -> None:
    header = {"descr": "<f2", "fortran_order": False, "shape": (part.stop - part.start, part.width)}
    with written(part.file) as temporary, open(temporary, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(part.start, part.stop, BATCH):
            maps = encoder.encode(images.at(modality, np.arange(start, min(start + BATCH, part.stop))))
            numbers = torch.cat([level.flatten(1) for level in maps], dim=1).half()
            if not numbers.isfinite().all():
                raise DrifaError(
                    f"the frozen encoder of {modality!r} gives numbers beyond ±65504, which 16 bit cannot hold; set "
                    f"data.maps_gb=0, and it runs every epoch"
                )
            file.write(numbers.numpy().tobytes())
