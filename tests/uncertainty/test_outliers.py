"""Strangers: false alarms at the stated rate and no more, and what has to be caught."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

from drifa.errors import DrifaError
from drifa.uncertainty.conformal import least_groups
from drifa.uncertainty.distances import DISTANCES
from drifa.uncertainty.image_statistics import STATISTICS, statistics_of
from drifa.uncertainty.outliers import OutlierCheck, OutlierScores

Drawn = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def drawn(random: np.random.Generator, patients: int, images: int = 3) -> Drawn:
    """Features, labels, statistics and groups of patients whose images resemble each other."""
    group = np.arange(patients).repeat(random.integers(1, images + 1, size=patients))
    label = random.integers(2, size=patients)
    own = random.normal(size=(patients, 8)) + 3 * np.eye(2, 8)[label]
    look = random.normal(size=(patients, len(STATISTICS)))
    near = 0.3 * random.normal(size=(len(group), 8 + len(STATISTICS)))
    return own[group] + near[:, :8], label[group], look[group] + near[:, 8:], group


def pictures(random: np.random.Generator, count: int) -> np.ndarray:
    """Smooth reddish images with a dark spot, uint8 [N, 24, 24, 3]."""
    clouds = gaussian_filter(random.normal(size=(count, 24, 24)), (0, 3, 3)) * 6
    y, x = np.mgrid[-1:1:24j, -1:1:24j]
    spot = np.exp(-(x**2 + y**2) / random.uniform(0.1, 0.3, size=(count, 1, 1)))
    grey = 0.72 + 0.1 * clouds - 0.35 * spot
    return (255 * np.clip(grey[..., None] * np.array([1.0, 0.8, 0.75]), 0, 1)).astype(np.uint8)


def pooled(images: np.ndarray) -> np.ndarray:
    """What a small network could have pooled: means of random filters, rectified."""
    filters = np.random.default_rng(3).normal(size=(16, 3))
    x = images / 255 - 0.5
    slopes = np.abs(np.diff(x, axis=1)).mean(axis=(1, 2))
    return np.concatenate([np.maximum(x @ filters.T, 0).mean(axis=(1, 2)), slopes], axis=1)


@pytest.mark.parametrize("method", DISTANCES)
@pytest.mark.parametrize("with_statistics", [False, True])
def test_false_alarms_come_at_the_stated_rate(method: str, with_statistics: bool) -> None:
    random = np.random.default_rng(1)
    alarms, count, rate = 0, 0, 0.1
    for turn in range(40):
        x, label, s, _ = drawn(random, 60)
        scores = OutlierScores.fit(x, label, s if with_statistics else None, method)
        x, _, s, group = drawn(random, 99)
        check = scores.calibrate(x, s if with_statistics else None, group, rate, seed=turn)
        x, _, s, _ = drawn(random, 50, images=1)
        alarms += check.strange(x, s if with_statistics else None).sum()
        count += len(x)
    # Alarms of one calibration set go together: their spread is that of Beta(10, 90) beside that of 50 images each.
    sd = np.sqrt(40 * (50 * 0.09 + 50 * 49 * 0.09 / 101))
    assert alarms <= rate * count + 2.6 * sd
    assert alarms >= rate * count - 2.6 * sd


def test_images_taken_for_patients_do_not_change_a_p_value_but_its_worth() -> None:
    random = np.random.default_rng(2)
    x, label, s, group = drawn(random, 100, images=10)
    scores = OutlierScores.fit(x, label, s)
    assert scores.calibrate(x, s, group).record.groups == 100
    assert scores.calibrate(x, s).record.groups == len(x)


@pytest.mark.parametrize("method", DISTANCES)
def test_strangers_are_caught(method: str) -> None:
    random = np.random.default_rng(4)
    training, validation, new = (pictures(random, n) for n in (300, 300, 200))
    check = OutlierScores.fit(pooled(training), np.zeros(300), statistics_of(training), method).calibrate(
        pooled(validation), statistics_of(validation), rate=0.05
    )

    def caught(images: np.ndarray) -> float:
        return float(check.strange(pooled(images), statistics_of(images)).mean())

    assert caught(new) <= binom.ppf(0.999, 200, 0.08) / 200
    for level in (0, 128, 255):
        assert caught(np.full((2, 24, 24, 3), level, np.uint8)) == 1
    assert caught(random.integers(0, 256, size=(50, 24, 24, 3), dtype=np.uint8)) == 1
    assert caught(255 - new) == 1
    assert caught(new[..., ::-1]) == 1  # red and blue exchanged
    assert caught(new[:, :, :8]) == 1  # another shape
    assert caught(new[:, ::-1]) <= binom.ppf(0.999, 200, 0.08) / 200  # a mirror image is no stranger


@pytest.mark.parametrize("method", DISTANCES)
def test_shifted_features_are_caught_without_statistics(method: str) -> None:
    random = np.random.default_rng(5)
    x, label, _, _ = drawn(random, 200)
    check = OutlierScores.fit(x, label, method=method).calibrate(drawn(random, 200)[0])
    new = drawn(random, 200)[0]
    p = [check(new + shift).mean() for shift in (0, 1, 2, 4, 8)]
    assert p == sorted(p, reverse=True)
    assert check.strange(new + 8).all()
    assert not check.strange(new).all()


@pytest.mark.parametrize("method", DISTANCES)
def test_the_order_of_the_images_does_not_matter(method: str) -> None:
    random = np.random.default_rng(6)
    x, label, s, _ = drawn(random, 100)
    u, _, t, group = drawn(random, 100)
    new, _, look, _ = drawn(random, 100)
    one, two, three = (random.permutation(len(rows)) for rows in (x, u, new))
    p = OutlierScores.fit(x, label, s, method).calibrate(u, t, group)(new, look)
    q = OutlierScores.fit(x[one], label[one], s[one], method).calibrate(u[two], t[two], group[two])(new[three], look[three])
    np.testing.assert_allclose(q, p[three], atol=2 / 101 + 1e-9)  # a rank apart, where sums round otherwise
    assert (np.abs(q - p[three]) < 1e-9).mean() > 0.98


def test_the_unit_of_a_feature_and_the_names_of_classes_do_not_matter() -> None:
    random = np.random.default_rng(7)
    (x, label, _, _), u, new = drawn(random, 100), drawn(random, 100)[0], drawn(random, 100)[0]
    unit = np.array([1e4, 1, 1, 1e-4, 1, 1, 1, 1])
    p = OutlierScores.fit(x, label).calibrate(u)(new)
    q = OutlierScores.fit(x * unit, np.array(["mel", "nv"])[label]).calibrate(u * unit)(new * unit)
    np.testing.assert_allclose(q, p, atol=1 / (len(u) + 1) + 1e-9)


@pytest.mark.parametrize("method", DISTANCES)
@pytest.mark.parametrize("with_statistics", [False, True])
def test_a_check_survives_its_files(method: str, with_statistics: bool) -> None:
    random = np.random.default_rng(8)
    x, label, s, _ = drawn(random, 100)
    look = s if with_statistics else None
    x = (x, x[:, :3])
    check = OutlierScores.fit(x, label, look, method).calibrate(x, look)
    file = io.BytesIO()
    np.savez(file, **check.arrays())
    file.seek(0)
    again = OutlierCheck.from_arrays(json.loads(json.dumps(check.to_json(), allow_nan=False)), dict(np.load(file)))
    np.testing.assert_array_equal(again(x, look), check(x, look))
    assert again.record == check.record
    for name in check.arrays():
        with pytest.raises(DrifaError, match=f"box: array '{name}' is missing; fit it again"):
            OutlierCheck.from_arrays(check.to_json(), {k: v for k, v in check.arrays().items() if k != name}, "box")
        for broken in (check.arrays()[name][..., :-1], check.arrays()[name] * np.nan):
            with pytest.raises(DrifaError, match="does not fit or is not finite"):
                OutlierCheck.from_arrays(check.to_json(), check.arrays() | {name: broken})
    with pytest.raises(DrifaError, match=r"array 'spread' holds -.*, and spreads are positive"):
        OutlierCheck.from_arrays(check.to_json(), check.arrays() | {"spread": -check.arrays()["spread"]})
    with pytest.raises(DrifaError, match="box: unknown key 'ratte'"):
        OutlierCheck.from_arrays(check.to_json() | {"ratte": 1}, check.arrays(), "box")


@pytest.mark.parametrize("method", DISTANCES)
def test_what_only_one_depth_sees_is_caught_and_alarms_stay_at_the_rate(method: str) -> None:
    random = np.random.default_rng(11)
    (x, label, s, _), (u, _, t, _), (new, _, look, _) = (drawn(random, 300, images=1) for _ in range(3))
    depths = [random.normal(size=(300, 40)) * 50 for _ in range(3)]  # of another scale and number, and independent
    check = OutlierScores.fit((depths[0], x), label, s, method).calibrate((depths[1], u), t)
    assert check.record.features == (40, 8)
    assert check.strange((depths[2], new), look).mean() <= binom.ppf(0.999, 300, 0.08) / 300
    assert check.strange((depths[2], new + 8), look).all()
    assert check.strange((depths[2] * 3, new), look).all()


def test_depths_count_alike_whatever_their_scale() -> None:
    random = np.random.default_rng(12)
    (x, label, _, _), (new, _, _, _) = drawn(random, 200), drawn(random, 50)
    other, fresh = random.normal(size=(len(x), 8)), random.normal(size=(len(new), 8))
    scores = OutlierScores.fit((x, other), label)
    looks = (scores.looks((new, fresh)) - scores.middle[:, None]) / scores.spread[:, None]
    np.testing.assert_allclose(scores((new, fresh)), looks.mean(axis=0))
    # Of images that a look was not fitted on, the usual distance counts nothing, and the spread one.
    assert np.abs(np.median(looks, axis=1)).max() < 0.7
    assert 0.5 < looks.std(axis=1).min() <= looks.std(axis=1).max() < 2


def test_few_images_and_constant_halves_are_no_error() -> None:
    few = OutlierScores.fit(np.arange(8.0).reshape(4, 2), [0, 0, 1, 1])
    assert np.isfinite(few(np.arange(8.0).reshape(4, 2))).all()
    rare = np.zeros((40, 2))
    rare[20] = 1
    assert np.isfinite(OutlierScores.fit((rare, np.random.default_rng(0).normal(size=(40, 2))), [0] * 40)((rare, rare))).all()


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("with_statistics", [False, True])
def test_the_least_number_of_groups_is_enough_and_one_less_is_not(rate: float, with_statistics: bool) -> None:
    random = np.random.default_rng(9)
    x, label, s, _ = drawn(random, 400, images=1)
    look = s if with_statistics else None
    scores = OutlierScores.fit(x, label, look)
    least = least_groups(1 - rate)

    def calibrated(count: int) -> OutlierCheck:
        return scores.calibrate(x[:count], None if look is None else look[:count], rate=rate)

    assert calibrated(least).strange(x[:1] + 1e6, None if look is None else look[:1]).all()
    with pytest.raises(
        DrifaError, match=f"{least - 1} validation groups are too few .* at {rate:g}, which needs at least {least}:"
    ):
        calibrated(least - 1)


@pytest.mark.parametrize(
    ("features", "statistics", "message"),
    [
        (np.full((2, 8), np.nan), None, "features hold nan in row 0"),
        (np.zeros((2, 7)), None, "features of 7 numbers per image do not fit a check fitted on 8"),
        ((np.zeros((2, 8)), np.zeros((2, 8))), None, "features of 2 depths do not fit a check of 1"),
        (np.zeros((2, 8)), None, "fitted with image statistics and is asked without them"),
        (np.zeros((2, 8)), np.zeros((2, 3)), "image statistics of 3 numbers per image do not fit"),
        (np.zeros((2, 8)), np.zeros((3, len(STATISTICS))), "3 rows of image statistics do not fit 2 rows of features"),
    ],
)
def test_a_check_refuses_what_it_was_not_fitted_for(features: np.ndarray, statistics: np.ndarray | None, message: str) -> None:
    x, label, s, _ = drawn(np.random.default_rng(10), 50)
    check = OutlierScores.fit(x, label, s).calibrate(x, s)
    with pytest.raises(DrifaError, match=message):
        check(features, statistics)
    with pytest.raises(DrifaError, match="fitted without image statistics and is asked with them"):
        OutlierScores.fit(x, label)(x, s)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "mahalanobi"}, "did you mean 'mahalanobis'"),
        ({"labels": [0]}, r"labels of shape \(1,\) do not fit 4 rows"),
        ({"labels": [0, 1, 2, 3]}, "4 training images of 4 classes are too few"),
        ({"features": [[np.nan]] * 4}, "features hold nan"),
        ({"features": [[1.0]] * 4}, "none of the 1 features varies"),
        ({"features": ()}, "features of no depth were given"),
        ({"features": (np.arange(8.0).reshape(4, 2), np.ones((3, 2)))}, "features of 3 images do not fit those of 4"),
    ],
)
def test_fitting_refuses(change: dict, message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        OutlierScores.fit(**{"features": np.arange(8.0).reshape(4, 2), "labels": [0, 0, 1, 1]} | change)


@pytest.mark.parametrize("rate", [0, 1, 1.5])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    scores = OutlierScores.fit(np.arange(8.0).reshape(4, 2), [0, 0, 1, 1])
    with pytest.raises(DrifaError, match=f"rate {rate} of false alarms must lie between 0 and 1"):
        scores.calibrate(np.zeros((4, 2)), rate=rate)
