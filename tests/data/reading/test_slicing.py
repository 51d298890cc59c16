"""Slices of a volume and back: the box, the padding to a square, and normalised voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from drifa.data.reading.slicing import NATIVE, Geometry, centre, foreground_of, normalise, prepare_volumes
from drifa.data.reading.volumes import Volume
from drifa.errors import DrifaError

GENERATOR = np.random.default_rng(0)


def volume(array: np.ndarray, shift: float = 0.0) -> Volume:
    affine = np.eye(4)
    affine[0, 3] = shift
    return Volume(array.astype(np.float32), affine, affine, array.shape, Path("scan.nii"))


def test_a_native_slice_is_the_axial_plane_of_the_box() -> None:
    array = GENERATOR.normal(size=(7, 8, 6))
    geometry = Geometry((7, 8, 6), (1, 2, 3), (5, 7, 6), NATIVE)
    slices = geometry.cut(array)
    assert slices.shape == geometry.slices == (3, 4, 5)
    np.testing.assert_allclose(slices[1], array[1:5, 2:7, 4], rtol=1e-6)


@pytest.mark.parametrize("extra", [(0, 0), (3, 2)], ids=["bare", "padded"])
def test_native_slices_come_back_to_their_voxels_and_nothing_is_outside_the_box(extra: tuple[int, int]) -> None:
    geometry = Geometry((7, 8, 6), (1, 2, 3), (5, 7, 6), NATIVE)
    planes = torch.rand(3, 2, 4, 5)
    squares = centre(planes, 5 + extra[0]) if any(extra) else planes
    full = geometry.restore(squares)
    assert full.shape == (7, 8, 6, 2)
    np.testing.assert_array_equal(full[2, 4, 3], planes[0, :, 1, 2])
    inside = np.zeros((7, 8, 6), dtype=bool)
    inside[geometry.box] = True
    assert (full[~inside] == 0).all()
    assert np.isclose(full.sum(), planes.sum().item(), rtol=1e-5)


def test_scaled_slices_are_squares_that_keep_the_aspect_and_labels_stay_labels() -> None:
    array = np.zeros((4, 8, 2))
    array[:, :, 1] = 3
    geometry = Geometry((4, 8, 2), (0, 0, 0), (4, 8, 2), 16)
    labels = geometry.cut(array, labels=True)
    assert labels.shape == geometry.slices == (2, 16, 16)
    assert (labels[0] == 0).all()
    # 4 of 8 rows hold the box, in the middle, so 8 of 16 pixels do.
    np.testing.assert_array_equal((labels[1] == 3).any(axis=1), [False] * 4 + [True] * 8 + [False] * 4)
    assert set(np.unique(labels)) == {0, 3}


def test_the_background_is_what_all_corners_share_or_zero() -> None:
    array = np.full((4, 4, 4), -1000.0)
    array[1:3, 1:3, 1:3] = 40
    assert foreground_of(array).sum() == 8
    array[0, 0, 0] = 5  # the corners differ: all that is not 0 counts
    array[2, 2, 2] = 0
    assert foreground_of(array).sum() == 63


def test_normalising_is_over_the_foreground_alone_and_clipped() -> None:
    array = GENERATOR.normal(300, 40, (6, 6, 6))
    foreground = GENERATOR.random((6, 6, 6)) < 0.5
    found = normalise(array, foreground, 0)
    assert (found[~foreground] == 0).all()
    np.testing.assert_allclose((found[foreground].mean(), found[foreground].std()), (0, 1), atol=1e-5)
    np.testing.assert_allclose(normalise(array, foreground, 1.5), np.clip(found, -1.5, 1.5), atol=1e-6)
    np.testing.assert_allclose(normalise(7 * array - 3, foreground, 0), found, atol=1e-5)  # the scanner's scale
    assert (normalise(np.full((6, 6, 6), 9.0), foreground, 5) == 0).all()


def test_the_box_is_the_smallest_that_holds_every_modality_and_says_how_full_each_slice_is() -> None:
    a, b = np.zeros((9, 9, 9)), np.zeros((9, 9, 9))
    a[2, 3, 4], a[3, 3, 4], b[5, 6, 5] = 1, 2, 3
    slices = prepare_volumes({"a": volume(a), "b": volume(b)}, NATIVE)
    assert (slices.geometry.start, slices.geometry.stop) == ((2, 3, 4), (6, 7, 6))
    np.testing.assert_allclose(slices.brain, [2 / 16, 1 / 16])
    empty = prepare_volumes({"a": volume(np.zeros((3, 4, 5)))}, NATIVE)
    assert empty.geometry.slices == (5, 3, 4)
    assert (empty.images["a"] == 0).all()
    with pytest.raises(DrifaError, match="a and b of one subject lie on different grids"):
        prepare_volumes({"a": volume(a), "b": volume(b, shift=1.0)}, NATIVE)


def test_an_odd_border_is_larger_behind() -> None:
    assert centre(torch.ones(1, 1, 2), 3)[0].tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]
