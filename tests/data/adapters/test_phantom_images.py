"""The painters of the phantom: what a class or a marker changes stands where it should, all else stays to the pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from drifa.data.adapters.phantom_images import LESION, MARKER, photo_images, ultrasound_images

Painted = tuple[np.ndarray, np.ndarray, np.ndarray]
Painter = Callable[..., Painted]
COUNT, SIZE = 12, 48


def painted(painter: Painter, kind: int = 0, marker: bool = False, melanin: float = 0.5) -> Painted:
    """Subjects who differ by nuisance alone, which the seed decides."""
    habitus = np.full((COUNT, 4), 0.5)
    habitus[:, 0] = melanin
    return painter(np.full(COUNT, kind), np.full(COUNT, marker), habitus, SIZE, np.random.default_rng(0))


@pytest.mark.parametrize(("painter", "shape"), [(photo_images, (SIZE, SIZE, 3)), (ultrasound_images, (SIZE, SIZE))])
def test_images_are_bytes_that_differ_from_subject_to_subject_and_repeat_by_seed(
    painter: Painter, shape: tuple[int, ...]
) -> None:
    images, measure, masks = painted(painter)
    assert (images.dtype, images.shape, measure.shape) == (np.uint8, (COUNT, *shape), (COUNT,))
    assert (masks.dtype, masks.shape) == (np.uint8, (COUNT, SIZE, SIZE))
    assert len({image.tobytes() for image in images}) == COUNT
    again, same, _ = painted(painter)
    assert (again == images).all()
    assert (same == measure).all()


@pytest.mark.parametrize("painter", [photo_images, ultrasound_images])
def test_the_marker_changes_part_of_the_picture_and_not_the_lesion_measured(painter: Painter) -> None:
    (without, measure, bare), (with_marker, same, marked) = painted(painter), painted(painter, marker=True)
    assert (measure == same).all()
    changed = np.abs(without.astype(int) - with_marker.astype(int)).reshape(COUNT, SIZE, SIZE, -1).max(axis=3) > 8
    assert (changed.mean(axis=(1, 2)) > 0.01).all()
    assert (changed.mean(axis=(1, 2)) < 0.6).all()
    # Masks: a marker only where it was painted, whose place changed; the lesion stays, and stays unchanged by the marker.
    assert not (bare == MARKER).any()
    assert ((bare == LESION) == (marked == LESION)).all()
    assert (marked == MARKER).any(axis=(1, 2)).all()
    assert changed[marked == MARKER].mean() > 0.8
    assert changed[marked == LESION].mean() < 0.2


def test_the_depth_measured_is_that_of_the_kind_of_lesion() -> None:
    # Half heights of a thin, a thick and a deep lesion, each varied by 12 per cent.
    for kind, height in enumerate((0.065, 0.15, 0.27)):
        depth = painted(ultrasound_images, kind)[1]
        assert (np.abs(depth / (2 * height) - 1) <= 0.12 + 1e-6).all()


@pytest.mark.parametrize("marker", [False, True])
def test_the_kind_of_an_ultrasound_lesion_shows_in_the_lesion_alone(marker: bool) -> None:
    thin, thick = (painted(ultrasound_images, kind, marker) for kind in (0, 1))
    near = ndimage.binary_dilation((thin[2] == LESION) | (thick[2] == LESION), np.ones((1, 9, 9)))  # its soft edge too
    assert (thin[0] == thick[0])[~near].all()
    assert (thin[0] != thick[0])[near].any()


def test_the_radius_measured_lies_in_its_range_and_shows_in_the_picture() -> None:
    images, radius, masks = painted(photo_images, melanin=0.0)
    assert (radius >= 0.17).all()
    assert (radius <= 0.24).all()
    # The lesion is that disc with waves along its border.
    assert (np.abs((masks == LESION).mean(axis=(1, 2)) / (np.pi * radius**2) - 1) < 0.15).all()
    # On pale skin the lesion is what is dark: a disc of that radius, give or take hairs, waves and shading.
    grey = images.mean(axis=3)
    dark = (grey < (grey.max(axis=(1, 2), keepdims=True) + grey.min(axis=(1, 2), keepdims=True)) / 2).mean(axis=(1, 2))
    assert np.corrcoef(dark, np.pi * radius**2)[0, 1] > 0.3


def test_skin_of_more_melanin_is_darker() -> None:
    pale, dark = (painted(photo_images, melanin=value)[0].mean() for value in (0.0, 0.9))
    assert dark < pale - 10
