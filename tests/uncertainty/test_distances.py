"""Distances of features: what they are by definition, and what they do not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from drifa.errors import DrifaError
from drifa.uncertainty.distances import DISTANCES, MOST_DIRECTIONS, NEIGHBOURS, Mahalanobis, Neighbours, check_table


def images(count: int = 300, features: int = 12, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features that depend on each other, in classes that lie apart."""
    random = np.random.default_rng(seed)
    label = np.arange(count) % classes
    mix = np.random.default_rng(7).normal(size=(features, features))
    return (random.normal(size=(count, features)) + 4 * np.eye(classes, features)[label]) @ mix, label


def test_mahalanobis_is_that_of_the_shrunk_shared_covariance() -> None:
    x, label = images()
    new = images(50, seed=1)[0]
    centres = np.stack([x[label == index].mean(axis=0) for index in range(3)])
    spread = (x - centres[label]).std(axis=0)
    estimate = LedoitWolf(assume_centered=True).fit((x - centres[label]) / spread)
    expected = np.sqrt([estimate.mahalanobis((new - centre) / spread) for centre in centres]).min(axis=0)
    np.testing.assert_allclose(Mahalanobis.fit(x, label, 0)(new), expected, rtol=1e-5)


def test_mahalanobis_of_many_features_is_compact_and_still_sees_all_of_them() -> None:
    random = np.random.default_rng(0)
    x, label = random.normal(size=(150, 600)), np.arange(150) % 2
    found = Mahalanobis.fit(x, label, 0)
    assert found.directions.shape == (MOST_DIRECTIONS, 600)
    usual = found(random.normal(size=(50, 600)))
    shifted = random.normal(size=(50, 600))
    shifted[:, 599] += 30
    assert found(shifted).min() > usual.max()


@pytest.mark.parametrize("method", DISTANCES)
def test_the_unit_of_a_feature_does_not_matter(method: str) -> None:
    (x, label), new = images(), images(50, seed=1)[0]
    unit = np.ones(12)
    unit[3], unit[5] = 1e6, 1e-3
    before, after = DISTANCES[method].fit(x, label, 0)(new), DISTANCES[method].fit(x * unit, label, 0)(new * unit)
    np.testing.assert_allclose(after, before, rtol=1e-4)


@pytest.mark.parametrize("method", DISTANCES)
def test_the_order_of_the_images_does_not_matter(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drifa.uncertainty.distances.MOST_NUMBERS", 12 * 100)  # so that neighbours are drawn
    (x, label), new = images(), images(50, seed=1)[0]
    turned = np.random.default_rng(2).permutation(len(x))
    before, after = DISTANCES[method].fit(x, label, 0)(new), DISTANCES[method].fit(x[turned], label[turned], 0)(new)
    np.testing.assert_allclose(after, before, rtol=1e-4)


@pytest.mark.parametrize("method", DISTANCES)
def test_a_constant_feature_is_left_out(method: str) -> None:
    (x, label), new = images(), images(50, seed=1)[0]
    fitted = DISTANCES[method].fit(np.insert(x, 4, 3.0, axis=1), label, 0)
    np.testing.assert_allclose(fitted(np.insert(new, 4, 9.0, axis=1)), DISTANCES[method].fit(x, label, 0)(new), rtol=1e-4)
    with pytest.raises(DrifaError, match="none of the 3 features varies over 9 training images"):
        DISTANCES[method].fit(np.full((9, 3), 0.1), np.zeros(9, int), 0)


def test_the_neighbour_is_the_one_of_its_rank() -> None:
    x = np.arange(20.0)[:, None]
    found = Neighbours.fit(x, np.zeros(20, int), 0)([[-1.0], [0.0]])
    np.testing.assert_allclose(found * x.std(), [NEIGHBOURS, NEIGHBOURS - 1], rtol=1e-6)
    few = Neighbours.fit(x[:3], np.zeros(3, int), 0)(np.array([[0.0]]))
    np.testing.assert_allclose(few * x[:3].std(), [2], rtol=1e-6)


def test_neighbours_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drifa.uncertainty.distances.MOST_NUMBERS", 12 * 50)
    x, label = images()
    assert Neighbours.fit(x, label, 0).rows.shape == (50, 12)


@pytest.mark.parametrize("method", DISTANCES)
def test_no_image_has_no_distance(method: str) -> None:
    x, label = images()
    assert DISTANCES[method].fit(x, label, 0)(np.empty((0, 12))).shape == (0,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0, np.nan]], "features hold nan in row 0"),
        ([[0, np.inf]], "features hold inf in row 0"),
        ([0, 1], r"features of shape \(2,\) are no table"),
        ([[1, 2, 3]], "features of 3 numbers per image do not fit a check fitted on 2"),
        ([["a", "b"]], "features are no table of numbers"),
        ([[1], [2, 3]], "features are no table of numbers"),
    ],
)
def test_what_is_no_table_is_refused(values: list, message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        check_table(values, "features", 2)
