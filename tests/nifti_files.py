"""Small NIfTI volumes in the layouts that scanners and archives leave behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np

#: Left, posterior, superior, as most brain archives store it, with 1.5 x 1 x 2 mm voxels.
LPS = np.array([[-1.5, 0, 0, 60], [0, -1.0, 0, 80], [0, 0, 2.0, -30], [0, 0, 0, 1]])


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray = LPS, **header: Any) -> Path:
    """Writes a NIfTI-1 file; further arguments are fields of its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.nifti1.Nifti1Image(array, affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def make_head(
    shape: tuple[int, int, int] = (20, 24, 12), seed: int = 0, background: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """An egg of grey values away from the volume's faces, and a mask with a core (4), a rim (1) and a halo (2)."""
    axes = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    egg = axes[0] ** 2 / 0.5 + axes[1] ** 2 / 0.7 + axes[2] ** 2 / 0.6 < 1
    grey = np.random.default_rng(seed).normal(300, 40, shape)
    distance = np.sqrt((axes[0] - 0.1) ** 2 + axes[1] ** 2 + axes[2] ** 2)
    mask = np.select([distance < 0.2, distance < 0.35, distance < 0.5], [4, 1, 2], 0).astype(np.uint8)
    return np.where(egg, grey + 20 * mask, background).astype(np.float32), mask * egg
