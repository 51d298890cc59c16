"""Plain numbers of images: what changes them, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.errors import DrifaError
from drifa.uncertainty.image_statistics import STATISTICS, Ranges, image_statistics, statistics_of


def named(image: np.ndarray) -> dict[str, float]:
    return dict(zip(STATISTICS, image_statistics(image), strict=True))


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(20, 30, 3), dtype=np.uint8)


def test_a_turn_or_a_mirror_changes_nothing(photo: np.ndarray) -> None:
    for other in (np.rot90(photo), photo[:, ::-1], photo[::-1]):
        np.testing.assert_allclose(image_statistics(other), image_statistics(photo))


def test_each_number_says_what_its_name_says(photo: np.ndarray) -> None:
    found = named(photo)
    assert found["size"] == pytest.approx(np.log2(600) / 2)
    assert found["shape"] == pytest.approx(np.log2(1.5))
    assert found["mean"] == pytest.approx(photo.mean() / 255)
    assert (found["black"], found["white"]) == ((photo <= 5).mean(), (photo >= 250).mean())
    black, white = named(np.zeros((4, 4, 3), np.uint8)), named(np.full((4, 4), 255, np.uint8))
    assert [black[name] for name in ("mean", "contrast", "detail", "colour", "black", "white")] == [0, 0, 0, 0, 1, 0]
    assert [white[name] for name in ("mean", "contrast", "detail", "colour", "black", "white")] == [1, 0, 0, 0, 0, 1]
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert (named(red)["colour"], named(red)["warmth"], named(red[..., ::-1])["warmth"]) == (1, 1, -1)
    smooth = np.sort(photo[..., 0], axis=None).reshape(20, 30)
    assert named(smooth)["contrast"] == pytest.approx(named(photo[..., 0])["contrast"])
    assert named(smooth)["detail"] < named(photo[..., 0])["detail"]


def test_grey_is_grey_in_one_channel_or_three(photo: np.ndarray) -> None:
    grey = photo[..., :1]
    for other in (grey[..., 0], grey.repeat(3, axis=2)):
        np.testing.assert_allclose(image_statistics(other), image_statistics(grey))
    assert (named(grey)["colour"], named(grey)["warmth"]) == (0, 0)


def test_one_pixel_is_enough() -> None:
    assert np.isfinite(image_statistics(np.array([[7]], np.uint8))).all()


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)]
)
def test_other_arrays_are_refused(image: np.ndarray) -> None:
    with pytest.raises(DrifaError, match=f"shape .* and type {image.dtype} has no statistics: give uint8"):
        image_statistics(image)


def test_the_least_fitting_statistic_decides_in_widths_of_its_side() -> None:
    statistics = np.stack([np.linspace(0, 1, 401), np.linspace(0, 1, 401) ** 3], axis=1)
    ranges = Ranges.fit(statistics)
    score = ranges(np.array([[0.5, 0.125], [0.975, 0.125], [0.5, 0.975**3], [0.025, 0.025**3], [1.45, 0.125]]))
    np.testing.assert_allclose(score, [0, 1, 1, 1, 2], atol=1e-9)
    constant = Ranges.fit(np.ones((10, 1)))
    np.testing.assert_allclose(constant(np.array([[1.0], [1.01], [2.0]])), [0, 1, 100])


def test_images_of_any_sizes_make_a_table(photo: np.ndarray) -> None:
    assert statistics_of(iter([photo, photo[:5, :5, 0]])).shape == (2, len(STATISTICS))
    assert statistics_of([]).shape == (0, len(STATISTICS))
