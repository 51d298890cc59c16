"""Masks of a segmentation task: their values, and the regions that these make up."""

from __future__ import annotations

import numpy as np

from drifa.data.reading.volumes import Volume
from drifa.data.study.schema import Task
from drifa.errors import DrifaError


def checked_mask(volume: Volume, task: Task) -> np.ndarray:
    """The values of a mask that was read as a volume.

    Shape:
        uint8 [X, Y, Z].

    Raises:
        DrifaError: It holds a value that neither is 0 nor belongs to a region of the task.
    """
    # Counting whole numbers is much cheaper than sorting voxels; only a faulty mask needs the sorted list.
    with np.errstate(invalid="ignore"):
        mask = volume.array.astype(np.uint8)
    found = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    if np.array_equal(mask, volume.array) and set(found.tolist()) <= set(task.mask_values):
        return mask
    wrong = [float(value) for value in np.unique(volume.array) if value not in task.mask_values]
    listed = ", ".join(f"{value:g}" for value in wrong[:5]) + (", …" if len(wrong) > 5 else "")
    raise DrifaError(
        f"mask {volume.path} has labels outside the study: {listed}; task {task.name!r} knows "
        f"{', '.join(map(str, task.mask_values))}: add them to a region in study.yaml, or correct the mask"
    )


def region_stack(mask: np.ndarray, task: Task) -> np.ndarray:
    """Mask values as regions, in the order of the task's classes; regions may overlap.

    Shape:
        uint8 [...] -> bool [R, ...].
    """
    table = np.zeros((len(task.classes), 256), dtype=bool)
    for number, values in enumerate((task.regions or {}).values()):
        table[number, list(values)] = True
    return np.stack([row[mask] for row in table])
