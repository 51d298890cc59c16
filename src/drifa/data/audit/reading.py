"""One pass over the files of a study: everything that the audit's checks look at, and no pixel more."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from drifa.data.audit.alignment import SIDE
from drifa.data.reading.images import VOLUME_SUFFIXES, read_image
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from drifa.progress import Progress

if TYPE_CHECKING:
    from drifa.data.reading.volumes import Volume


@dataclass(frozen=True, eq=False)
class Facts:
    """What was read, one entry per row of the study's table; nothing in the rows of a tabular modality.

    Attributes:
        errors: Why a file cannot be read; "" for the others.
        digests: Hash of the decoded pixels; equal for equal pictures whatever their encoding; "" where none were read.
        thumbnails: Grey picture of the image, or of a volume's middle slice.
        colours: The same in RGB, 16 px.
        sizes: Height, width, depth in pixels; depth 1 for an image.
        bytes: File size.
        encodings: Format and stored kind of pixel, such as ``JPEG L``.
        histograms: Share of pixels in 16 equal bins of the grey range (of the volume's own range).
        extremes: Smallest and largest grey value; for a volume in its own unit.
        dominant: Share of pixels within 1 grey value of the most common one.
        grids: A volume's shape and place, its voxels left out; None for an image.

    Shape:
        [R]; thumbnails uint8 [R, 64, 64], colours uint8 [R, 16, 16, 3], sizes [R, 3], histograms [R, 16], extremes [R, 2].
    """

    errors: np.ndarray
    digests: np.ndarray
    thumbnails: np.ndarray
    colours: np.ndarray
    sizes: np.ndarray
    bytes: np.ndarray
    encodings: np.ndarray
    histograms: np.ndarray
    extremes: np.ndarray
    dominant: np.ndarray
    grids: np.ndarray

    @property
    def readable(self) -> np.ndarray:
        """Rows whose image was read: bool [R]."""
        return self.digests != ""

    @property
    def colourfulness(self) -> np.ndarray:
        """Mean difference of the largest and the smallest of R, G, B, in grey values: [R]; about 0 for a grey picture."""
        values = self.colours.astype(np.int16)
        return (values.max(axis=3) - values.min(axis=3)).mean(axis=(1, 2))


def read_study(study: Study, progress: Progress | None = None) -> Facts:
    """Reads every image of a study once, as training would; one that cannot be read is noted, never raised."""
    modality, path = (study.table[name].to_numpy(dtype=object) for name in ("modality", "path"))
    ways = {name: _way(study, name) for name in study.modalities}

    def read(row: int) -> dict[str, Any]:
        return _read(study.root / path[row], ways[modality[row]]) if path[row] else _nothing()

    workers = os.cpu_count() or 1
    found: list[dict[str, Any]] = []
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(path), 64 * workers):
            found += pool.map(read, range(start, min(start + 64 * workers, len(path))))
            if progress is not None:
                progress(len(found), len(path), "reading")
    kinds = {"errors": object, "digests": object, "encodings": object, "grids": object}
    return Facts(**{name: np.array([one[name] for one in found], dtype=kinds.get(name)) for name in found[0]})


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """A picture as grey uint8 [64, 64], stretched; every pixel of the original has its share."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return _shrink(Image.fromarray(pixels.astype(np.uint8)).convert("L"))


def _shrink(grey: Image.Image) -> np.ndarray:
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _nothing(error: str = "", size: int = 0) -> dict[str, Any]:
    return {
        "errors": error,
        "digests": "",
        "thumbnails": np.zeros((SIDE, SIDE), dtype=np.uint8),
        "colours": np.zeros((16, 16, 3), dtype=np.uint8),
        "sizes": np.zeros(3, dtype=np.int64),
        "bytes": size,
        "encodings": "",
        "histograms": np.zeros(16),
        "extremes": np.zeros(2),
        "dominant": 0.0,
        "grids": None,
    }


def _way(study: Study, modality: str) -> Callable[[Path], dict[str, Any]]:
    """How training reads a modality: as volumes where a segmentation task asks it, else as images."""
    ways = {task.target.reads for task in study.tasks.values() if modality in task.modalities}
    ways = ways or {task.target.reads for task in study.tasks.values()}
    if ways:
        return _read_volume if "pixels" in ways else _read_image
    # A study without tasks is not trained on; only the name of a file tells what its owner means.
    return lambda path: (_read_volume if path.is_dir() or path.name.lower().endswith(VOLUME_SUFFIXES) else _read_image)(path)


def _read(path: Path, way: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    size = _bytes(path)
    try:
        return {**_nothing(size=size), **way(path)}
    except DrifaError as error:
        return _nothing(str(error), size)
    except MemoryError:
        return _nothing(f"{path} does not fit into memory; scale it down", size)


def _bytes(path: Path) -> int:
    """Of a file, or of the slices in a folder."""
    from drifa.data.reading.volumes import volume_files

    try:
        return sum(os.path.getsize(file) for file in volume_files(path))
    except OSError:
        return 0


def _read_image(path: Path) -> dict[str, Any]:
    pixels = read_image(path, 3)
    grey = bool((pixels[:, :, 0] == pixels[:, :, 1]).all() and (pixels[:, :, 0] == pixels[:, :, 2]).all())
    # A grey picture is hashed as one channel, so that its grey and its RGB file are twins.
    stored = np.ascontiguousarray(pixels[:, :, 0]) if grey else pixels
    picture = Image.fromarray(pixels)
    luma = Image.fromarray(stored) if grey else picture.convert("L")
    counts = np.array(luma.histogram(), dtype=np.int64)
    present = np.flatnonzero(counts)
    near = np.convolve(counts, np.ones(3, dtype=np.int64), mode="same")
    return {
        "digests": _digest(stored),
        "thumbnails": _shrink(luma),
        "colours": np.asarray(picture.resize((16, 16), Image.Resampling.BILINEAR)),
        "sizes": np.array([*pixels.shape[:2], 1]),
        "encodings": _encoding(path),
        "histograms": counts.reshape(16, 16).sum(axis=1) / counts.sum(),
        "extremes": np.array([present[0], present[-1]], dtype=float),
        "dominant": float(near.max() / counts.sum()),
    }


def _read_volume(path: Path) -> dict[str, Any]:
    from drifa.data.reading.volumes import read_volume, volume_kind

    volume = read_volume(path)
    values = volume.array
    # In double precision: bins between two large and near values would have no width in the volume's own.
    low, high = np.float64(values.min()), np.float64(values.max())
    middle = values[:, :, values.shape[2] // 2]
    shown = ((middle - low) / max(high - low, 1e-12) * 255).astype(np.uint8)
    # A volume of one value has no range to cut.
    counts = np.histogram(values, 256, (low, high))[0] if high > low else values.size * np.eye(1, 256, dtype=np.int64)[0]
    near = np.convolve(counts, np.ones(3, dtype=np.int64), mode="same")
    return {
        "digests": _digest(values),
        "thumbnails": _shrink(Image.fromarray(shown)),
        "colours": np.asarray(Image.fromarray(shown).convert("RGB").resize((16, 16), Image.Resampling.BILINEAR)),
        "sizes": np.array(values.shape),
        "encodings": volume_kind(path),
        "histograms": counts.reshape(16, 16).sum(axis=1) / counts.sum(),
        "extremes": np.array([low, high]),
        "dominant": float(near.max() / counts.sum()),
        "grids": grid_of(volume),
    }


def grid_of(volume: Volume) -> Volume:
    """The volume with an array that has its shape and takes no memory."""
    return replace(volume, array=np.broadcast_to(np.float32(0), volume.array.shape))


def _digest(array: np.ndarray) -> str:
    digest = hashlib.blake2b(repr((array.shape, array.dtype.str)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _encoding(path: Path) -> str:
    try:
        with Image.open(path) as image:
            return f"{image.format} {image.mode}"
    except Exception:
        # Readable, but not by Pillow (DICOM, one-slice NIfTI).
        return path.suffix.lower().lstrip(".") or "no ending"
