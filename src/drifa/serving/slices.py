"""Volumes as a screen shows them: axial slices, small and grey, with the regions that were found in them."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from nibabel.nifti1 import Nifti1Image
from torch.nn import functional as F

from drifa.data.reading.slicing import foreground_of
from drifa.data.reading.volumes import Volume, oriented
from drifa.prediction.cases import Case
from drifa.prediction.given import volume_from

#: Longest side of a slice, pixels.
SIDE = 160
#: Most slices of a volume.
MOST = 160
#: What is black and what is white: percentiles of what differs from the background.
WINDOW = (1, 99)


def slices_of(case: Case, masks: Mapping[str, Mapping[str, Nifti1Image]]) -> dict[str, Any]:
    """The volumes of a case and their regions to look at, from the lowest slice to the highest.

    Rows run from anterior to posterior and columns from the patient's right to the left, as radiologists look. Of more slices
    than :data:`MOST`, so many evenly spread ones are shown as they are; larger ones than :data:`SIDE` are shrunk: a pixel is
    the mean of its voxels, and in a region where any of them is.

    Args:
        case: It was answered, so its volumes can be read and share a grid.
        masks: Task -> region -> its mask on the grid of the first volume.

    Returns:
        ``shape`` ``[n, H, W]``; ``size_mm``, height and width of a slice; ``depth``, slices of the volume; ``numbers`` of
        those that are shown, from 1; ``images``, modality -> uint8; ``masks``, task -> region -> uint8, 1 inside. Stacks are
        ``[n, H, W]``, gzipped, in base64.
    """
    images, first = {}, None
    for name, picture in case.images.items():
        volume = volume_from(picture)
        images[name] = _packed(_grey(_stack(volume.array, F.adaptive_avg_pool2d)))
        first = first or volume
    assert first is not None
    width, height, depth = first.array.shape
    return {
        "shape": [len(_shown(depth)), *_sides(width, height)],
        "size_mm": [height * first.spacing[1], width * first.spacing[0]],
        "depth": depth,
        "numbers": [int(number) + 1 for number in _shown(depth)],
        "images": images,
        "masks": {task: {name: _marked(mask, first) for name, mask in own.items()} for task, own in masks.items()},
    }


def _marked(mask: Nifti1Image, like: Volume) -> str:
    turned = oriented(np.asarray(mask.dataobj), like.original_affine, like.original_shape, like.path).array
    return _packed(_stack(turned, F.adaptive_max_pool2d).astype(np.uint8))


def _shown(depth: int) -> np.ndarray:
    return np.linspace(0, depth - 1, min(depth, MOST)).round().astype(np.int64)


def _sides(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of a slice."""
    scale = min(1, SIDE / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _stack(array: np.ndarray, pool: Any) -> np.ndarray:
    """Voxels ``[X, Y, Z]`` as float32 ``[n, H, W]``."""
    planes = array[:, :, _shown(array.shape[2])].transpose(2, 1, 0)[:, ::-1, ::-1]
    pixels = torch.from_numpy(np.ascontiguousarray(planes, dtype=np.float32))[:, None]
    found: np.ndarray = pool(pixels, _sides(*array.shape[:2]))[:, 0].numpy()
    return found


def _grey(stack: np.ndarray) -> np.ndarray:
    """uint8; the background is black."""
    foreground = foreground_of(stack)
    if not foreground.any():
        return np.zeros(stack.shape, dtype=np.uint8)
    low, high = np.percentile(stack[foreground], WINDOW)
    # Of one value alone: white.
    shares = np.clip((stack - low) / (high - low), 0, 1) if high > low else np.ones_like(stack)
    return np.asarray((255 * shares * foreground).round(), dtype=np.uint8)


def _packed(stack: np.ndarray) -> str:
    return base64.b64encode(gzip.compress(stack.tobytes(), compresslevel=6, mtime=0)).decode("ascii")
