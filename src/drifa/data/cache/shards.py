"""The files of the image cache: which images lie together, under which name, and how a file is written or cleared away."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drifa.data.reading import READING
from drifa.data.reading.images import read_image, resize
from drifa.errors import DrifaError
from drifa.files import atomic_path

#: Part of every key, beside that of the readers: raise it when the layout of the files changes.
CACHE_VERSION = 2
#: Mean size of a shard. What is lost when a build is killed, and what is decoded again when one image changes.
SHARD_BYTES = 128 * 2**20
#: Every name that this or an earlier version gave to a file of a cache, and to one that it was writing.
_OURS = re.compile(r"[\w-]+-\d+px-[0-9a-f]{24}\.npy|\.[\w-]+-\d+px-[0-9a-f]{24}\.npy\.\d+\.[0-9a-f]{8,16}\.tmp")


@dataclass(frozen=True)
class Shard:
    """Images that lie in one file.

    Args:
        file: Its path; the name holds the key.
        paths: Absolute paths of the images, in order.
        key: Hash of all that decides the file's content.
        shape: Of one image: channels, height, width.
    """

    file: Path
    paths: list[str]
    key: str
    shape: tuple[int, int, int]


def image_states(paths: Sequence[str]) -> list[str]:
    """What tells whether an image has changed: path, byte count, and times of change, of which no program can set the second.

    Raises:
        DrifaError: An image cannot be found.
    """
    states = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError as error:
            raise DrifaError(
                f"image {path} cannot be opened ({error.strerror}); correct 'root' in study.yaml or the study's paths"
            ) from None
        states.append(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}")
    return states


def plan_shards(folder: Path, modality: str, paths: list[str], states: list[str], shape: tuple[int, int, int]) -> list[Shard]:
    """Cuts a sorted list of images into shards.

    A cut lies where the hash of a path says so, or after twice the mean count. So an image that is added or removed moves no
    cut but those beside it, and the other shards stay valid.

    Args:
        folder: Of the cache.
        modality: Begins the file names.
        paths: Absolute paths, sorted.
        states: See :func:`image_states`.
        shape: Of one image: channels, height, width.
    """
    mean = max(1, SHARD_BYTES // int(np.prod(shape)))
    shards, start = [], 0
    for number, path in enumerate(paths):
        last = number + 1 == len(paths)
        if last or number + 1 - start == 2 * mean or zlib.crc32(path.encode()) % mean == 0:
            key = _key(states[start : number + 1], shape)
            file = folder / f"{modality}-{shape[1]}px-{key[:24]}.npy"
            shards.append(Shard(file, paths[start : number + 1], key, shape))
            start = number + 1
    return shards


def _key(states: Sequence[str], shape: tuple[int, int, int]) -> str:
    head = f"{CACHE_VERSION}\0{READING}\0{shape[1]}\0{shape[0]}"
    return hashlib.sha256("\0".join([head, *states]).encode()).hexdigest()


def is_complete(shard: Shard) -> bool:
    """Whether the file is there, whole and of the right shape."""
    try:
        array = np.lib.format.open_memmap(shard.file, mode="r")
    except (OSError, ValueError):
        return False
    return array.shape == (len(shard.paths), *shard.shape) and array.dtype == np.uint8


def decode(shard: Shard, modality: str, advance: Callable[[int], None]) -> None:
    """Writes one shard; its file appears when it is whole.

    Args:
        shard: Which.
        modality: For error messages.
        advance: Called with the number of images after every few that are done.

    Raises:
        DrifaError: An image is missing or unreadable, images changed while they were read, or the disk is full.
    """
    channels, size, _ = shard.shape

    def one(path: str) -> np.ndarray:
        return resize(read_image(path, channels), size).transpose(2, 0, 1)

    # Threads, as decoders release the interpreter's lock: processes were no faster, and cost a start and a copy.
    # Written in order through a plain file: a full disk is then an error, not the crash that a memory map would give.
    workers = os.cpu_count() or 1
    step = 32 * workers
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(shard.paths), *shard.shape)}
    with written(shard.file) as temporary, ThreadPoolExecutor(workers) as pool:
        with open(temporary, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(shard.paths), step):
                images = list(pool.map(one, shard.paths[start : start + step]))
                file.write(np.stack(images).tobytes())
                advance(len(images))
        if _key(image_states(shard.paths), shard.shape) != shard.key:
            raise DrifaError(
                f"images of {modality!r} changed while they were being cached; try again when nothing writes to them"
            )


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """As :func:`drifa.files.atomic_path`, for a file of a cache: a full disk is an error that says what to do."""
    try:
        with atomic_path(target) as temporary:
            yield temporary
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DrifaError(
            f"the disk of {target.parent} is full; what is finished is kept: make room or set data.cache, then try again"
        ) from error


def mark_used(files: Sequence[Path]) -> None:
    """Tells :func:`prune` that shards are in use; a cache that may only be read stays as it is."""
    for file in files:
        try:
            os.utime(file)
        except OSError:
            return


def prune(folder: str | Path, days: float = 30.0) -> int:
    """Deletes the shards, of this and earlier versions, and the leftovers of killed builds that nobody opened for some time.

    Args:
        folder: Of the cache; anything else in it is left alone.
        days: How long a shard must have been unused. A training opens its shards when it starts.

    Returns:
        Bytes that were freed; 0 where there is no such folder.
    """
    freed, limit = 0, time.time() - days * 86400
    for file in Path(folder).iterdir() if Path(folder).is_dir() else ():
        if _OURS.fullmatch(file.name) and file.is_file():
            status = file.stat()
            if status.st_mtime < limit:
                file.unlink(missing_ok=True)
                freed += status.st_size
    return freed
