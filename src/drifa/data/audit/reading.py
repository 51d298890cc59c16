"""One pass over the files of a study: everything that the audit's checks look at, and no pixel more."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from drifa.data.audit.alignment import SIDE
from drifa.data.images import read_image
from drifa.data.study import Study
from drifa.errors import DrifaError

Progress = Callable[[int, int, str], None]
_HEIGHT_WIDTH_DEPTH = 3


@dataclass(frozen=True, eq=False)
class Facts:
    """What was read, one entry per row of the study's table.

    Attributes:
        errors: Why a file cannot be read; "" for the others.
        digests: Hash of the decoded pixels; equal for equal pictures whatever their encoding; "" where unreadable.
        thumbnails: Grey picture of the image, or of a volume's middle slice.
        colours: The same in RGB, 16 px.
        sizes: Height, width, depth in pixels; depth 1 for an image.
        bytes: File size.
        encodings: Format and stored kind of pixel, such as ``JPEG L``.
        histograms: Share of pixels in 16 equal bins of the grey range (of the volume's own range).
        extremes: Smallest and largest grey value; for a volume in its own unit.
        dominant: Share of pixels within 1 grey value of the most common one.
        grids: Shape and affine of a volume as text; "" for an image.

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
        """bool [R]."""
        return self.errors == ""

    @property
    def colourfulness(self) -> np.ndarray:
        """Mean difference of the largest and the smallest of R, G, B, in grey values: [R]; about 0 for a grey picture."""
        values = self.colours.astype(np.int16)
        return (values.max(axis=3) - values.min(axis=3)).mean(axis=(1, 2))


def read_study(study: Study, progress: Progress | None = None) -> Facts:
    """Reads every file of a study once; a file that cannot be read is noted, never raised."""
    paths = [study.image_path(row) for row in range(len(study.table))]
    workers = os.cpu_count() or 1
    found: list[dict[str, Any]] = []
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(paths), 64 * workers):
            found += pool.map(_read, paths[start : start + 64 * workers])
            if progress is not None:
                progress(len(found), len(paths), "reading")
    kinds = {"errors": object, "digests": object, "encodings": object, "grids": object}
    return Facts(**{name: np.array([one[name] for one in found], dtype=kinds.get(name)) for name in found[0]})


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """A picture as grey uint8 [64, 64], stretched; every pixel of the original has its share."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return _shrink(Image.fromarray(pixels.astype(np.uint8)).convert("L"))


def _shrink(grey: Image.Image) -> np.ndarray:
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _nothing(error: str, size: int) -> dict[str, Any]:
    return {
        "errors": error,
        "digests": "",
        "thumbnails": np.zeros((SIDE, SIDE), dtype=np.uint8),
        "colours": np.zeros((16, 16, 3), dtype=np.uint8),
        "sizes": np.zeros(_HEIGHT_WIDTH_DEPTH, dtype=np.int64),
        "bytes": size,
        "encodings": "",
        "histograms": np.zeros(16),
        "extremes": np.zeros(2),
        "dominant": 0.0,
        "grids": "",
    }


def _read(path: Path) -> dict[str, Any]:
    size = os.path.getsize(path) if path.is_file() else 0
    try:
        facts = _nothing("", size)
        facts.update(_read_volume(path) if path.name.lower().endswith((".nii", ".nii.gz")) else _read_image(path))
        return facts
    except DrifaError as error:
        return _nothing(str(error), size)
    except MemoryError:
        return _nothing(f"{path} does not fit into memory; scale it down", size)


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
    from drifa.data.formats.nifti import affine_of, read_nifti

    values, header = read_nifti(path, 512e6)
    low, high = float(values.min()), float(values.max())
    middle = values[:, :, values.shape[2] // 2] if values.ndim > 2 else values
    shown = ((middle - low) / max(high - low, 1e-12) * 255).reshape(middle.shape[:2]).astype(np.uint8)
    counts = np.histogram(values, bins=256, range=(low, high if high > low else low + 1))[0]
    near = np.convolve(counts, np.ones(3, dtype=np.int64), mode="same")
    grid = f"{'x'.join(str(side) for side in values.shape)} at {np.round(affine_of(header, path), 3).tolist()}"
    return {
        "digests": _digest(values),
        "thumbnails": _shrink(Image.fromarray(shown)),
        "colours": np.asarray(Image.fromarray(shown).convert("RGB").resize((16, 16), Image.Resampling.BILINEAR)),
        "sizes": np.array([*values.shape, 1, 1][:_HEIGHT_WIDTH_DEPTH]),
        "encodings": f"NIfTI {header.get_data_dtype()}",
        "histograms": counts.reshape(16, 16).sum(axis=1) / max(counts.sum(), 1),
        "extremes": np.array([low, high]),
        "dominant": float(near.max() / max(counts.sum(), 1)),
        "grids": grid,
    }


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
