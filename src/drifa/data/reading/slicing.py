"""From volumes to the axial slices that a network sees, and from its answers back to the volume's own grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from drifa.data.reading.volumes import Volume, check_grids

#: Cropped slices are kept as they are, without resampling.
NATIVE = 0


@dataclass(frozen=True)
class Geometry:
    """Where the slices of one subject come from.

    A slice is an axial plane of the box from ``start`` to ``stop``: H runs along x (to the patient's right), W along y (to
    anterior). It is padded to a square and scaled to ``size``, or left as it is where ``size`` is NATIVE.

    Args:
        shape: The volume in voxels.
        start: First voxel of the box.
        stop: One past its last voxel.
        size: Side of the slices in pixels, or NATIVE.
    """

    shape: tuple[int, int, int]
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    size: int

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box as an index into the volume."""
        x, y, z = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return x, y, z

    @property
    def slices(self) -> tuple[int, int, int]:
        """Shape of the slices: [n, H, W]."""
        x, y, z = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return (z, x, y) if self.size == NATIVE else (z, self.size, self.size)

    def cut(self, array: np.ndarray, labels: bool = False) -> np.ndarray:
        """Slices of a volume.

        Args:
            array: Voxels.
            labels: True for mask values: each pixel takes the nearest one; otherwise shrinking averages.

        Shape:
            [X, Y, Z] -> float32 [n, H, W].
        """
        planes = torch.from_numpy(np.ascontiguousarray(array[self.box].transpose(2, 0, 1), dtype=np.float32))
        if self.size != NATIVE:
            planes = _scale(centre(planes, max(planes.shape[1:])), self.size, labels)
        return planes.numpy()

    def restore(self, values: np.ndarray | torch.Tensor) -> np.ndarray:
        """Slices of probabilities back on the volume's full grid by linear interpolation; exactly zero outside the box.

        Shape:
            [n, R, s, s] (NATIVE: s is any side that the padded slices have) -> float32 [X, Y, Z, R].
        """
        planes = self.unscale(values)
        full = np.zeros((*self.shape, planes.shape[1]), dtype=np.float32)
        full[self.box] = planes.permute(2, 3, 0, 1).numpy()
        return full

    def unscale(self, values: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Some slices of probabilities in the voxels of the box, as :meth:`restore` has them.

        Shape:
            [k, R, s, s] -> float32 [k, R, x, y].
        """
        planes = torch.as_tensor(values).float()
        x, y, _ = (b - a for a, b in zip(self.start, self.stop, strict=True))
        if self.size != NATIVE:
            planes = _scale(planes, max(x, y), labels=False)
        top, left = (planes.shape[2] - x) // 2, (planes.shape[3] - y) // 2
        return planes[:, :, top : top + x, left : left + y]


@dataclass(frozen=True, eq=False)
class Slices:
    """The slices of one subject's volumes.

    Args:
        geometry: Where they come from.
        images: Normalised slices of every modality.
        brain: Share of the box's pixels that are foreground in any modality, per slice.

    Shape:
        images float32 [n, H, W] each; brain float32 [n].
    """

    geometry: Geometry
    images: dict[str, np.ndarray]
    brain: np.ndarray


def prepare_volumes(volumes: Mapping[str, Volume], size: int, clip: float = 5.0) -> Slices:
    """Normalises the volumes of one subject, crops them to the brain and cuts them into axial slices.

    Foreground is every voxel that differs from the background: the value that all eight corners of the volume share, or 0
    where they differ. Each volume is brought to mean 0 and standard deviation 1 over its own foreground, clipped, and its
    background set to 0; a volume of one value becomes all 0. The box is the smallest that holds the foreground of all of them.

    Args:
        volumes: By modality; all on one grid.
        size: Side of the slices in pixels, or NATIVE.
        clip: Largest absolute value after normalising, in standard deviations; 0 for none.

    Raises:
        DrifaError: The volumes lie on different grids.
    """
    check_grids(volumes)
    foreground = {name: foreground_of(volume.array) for name, volume in volumes.items()}
    brain = np.logical_or.reduce(list(foreground.values()))
    if not brain.any():
        brain = np.ones_like(brain)  # nothing to crop to
    ends = [np.flatnonzero(brain.any(axis=axes))[[0, -1]] for axes in ((1, 2), (0, 2), (0, 1))]
    (x0, x1), (y0, y1), (z0, z1) = ((int(first), int(last) + 1) for first, last in ends)
    width, height, depth = brain.shape
    geometry = Geometry((width, height, depth), (x0, y0, z0), (x1, y1, z1), size)
    images = {name: geometry.cut(normalise(volume.array, foreground[name], clip)) for name, volume in volumes.items()}
    return Slices(geometry, images, brain[geometry.box].mean(axis=(0, 1), dtype=np.float32))


def foreground_of(array: np.ndarray) -> np.ndarray:
    """Voxels that differ from the background; see :func:`prepare_volumes`. Shape: [X, Y, Z] -> bool [X, Y, Z]."""
    corners = np.unique(array[:: max(array.shape[0] - 1, 1), :: max(array.shape[1] - 1, 1), :: max(array.shape[2] - 1, 1)])
    return array != (corners[0] if len(corners) == 1 else 0)


def normalise(array: np.ndarray, foreground: np.ndarray, clip: float) -> np.ndarray:
    """Mean 0 and standard deviation 1 over the foreground, 0 elsewhere. Shape: [X, Y, Z] -> float32 [X, Y, Z]."""
    values = array[foreground].astype(np.float64)
    deviation = values.std() if len(values) else 0.0
    result = np.zeros(array.shape, dtype=np.float32)
    if deviation > 0:
        values = (values - values.mean()) / deviation
        result[foreground] = np.clip(values, -clip, clip) if clip else values
    return result


def centre(planes: torch.Tensor, side: int) -> torch.Tensor:
    """Zeros around slices until they are squares. Shape: [..., H, W] -> [..., side, side]."""
    height, width = planes.shape[-2:]
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(planes, (left, side - width - left, top, side - height - top))


def _scale(planes: torch.Tensor, side: int, labels: bool) -> torch.Tensor:
    stack = planes if planes.ndim == 4 else planes[:, None]
    if labels:
        stack = F.interpolate(stack, size=(side, side), mode="nearest-exact")
    else:
        stack = F.interpolate(stack, size=(side, side), mode="bilinear", antialias=True)
    return stack if planes.ndim == 4 else stack[:, 0]
