"""A temperature for each region, on maps whose true probabilities are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from drifa.errors import DrifaError
from drifa.uncertainty.region_calibration import LEAST_MAPS, RegionTemperatures

REGIONS = ("core", "edema")


def maps(n: int = 12, planted: tuple[float, ...] = (2.0, 0.5), seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Truth and probabilities of n maps, of two sizes."""
    random, found = np.random.default_rng(seed), []
    for number in range(n):
        x = random.normal(scale=2, size=(len(planted), 24, 24 + number % 2))
        truth = random.random(x.shape) < 1 / (1 + np.exp(-x))
        found.append((truth, 1 / (1 + np.exp(-x * np.array(planted)[:, None, None]))))
    return [truth for truth, _ in found], [p for _, p in found]


def nll(truth: np.ndarray, p: np.ndarray) -> float:
    return float(-np.log(np.where(truth, p, 1 - p)).mean())


def test_the_temperatures_that_were_planted_are_found() -> None:
    assert RegionTemperatures.fit(*maps(20), REGIONS).temperatures == pytest.approx((2, 0.5), rel=0.1)


def test_counting_pixels_in_bins_finds_what_all_pixels_say() -> None:
    truth, p = maps()
    y, x = (np.concatenate([one[0].ravel() for one in each]) for each in (truth, p))
    odds = np.log(x / (1 - x))
    exact = minimize_scalar(lambda b: np.logaddexp(0, np.where(y, -b, b) * odds).mean(), bounds=(0.1, 5), method="bounded")
    assert RegionTemperatures.fit(truth, p, REGIONS).temperatures[0] == pytest.approx(1 / exact.x, rel=1e-4)


def test_the_likelihood_on_the_calibration_maps_never_falls_and_masks_stay() -> None:
    for seed in range(4):
        truth, p = maps(planted=(0.5 + seed, 1.0), seed=seed)
        calibrated = RegionTemperatures.fit(truth, p, REGIONS)
        q = [calibrated(one) for one in p]
        for region in range(2):
            flat = [np.concatenate([one[region].ravel() for one in each]) for each in (truth, p, q)]
            assert nll(flat[0], flat[2]) <= nll(flat[0], flat[1]) + 1e-6
        assert all(((one >= 0.5) == (other >= 0.5)).all() for one, other in zip(p, q, strict=True))


def test_certain_pixels_are_allowed() -> None:
    truth, p = maps()
    p[0][:, 0, 0], truth[0][:, 0, 0] = 1, False
    q = RegionTemperatures.fit(truth, [one.astype(np.float32) for one in p], REGIONS)(p[0])
    assert ((q > 0) & (q < 1)).all()


def test_maps_are_read_one_after_the_other() -> None:
    truth, p = maps()
    assert RegionTemperatures.fit(iter(truth), (one for one in p), REGIONS) == RegionTemperatures.fit(truth, p, REGIONS)


def test_regions_without_an_error_stay_as_they_are() -> None:
    p = maps()[1]
    assert RegionTemperatures.fit([one >= 0.5 for one in p], p, REGIONS).temperatures == (1, 1)


def test_temperatures_survive_json() -> None:
    calibrated = RegionTemperatures.fit(*maps(), REGIONS)
    assert RegionTemperatures.from_json(json.loads(json.dumps(calibrated.to_json()))) == calibrated


def test_too_few_cases_are_refused() -> None:
    RegionTemperatures.fit(*maps(LEAST_MAPS), REGIONS)
    with pytest.raises(DrifaError, match=f"{LEAST_MAPS - 1} validation cases .* at least {LEAST_MAPS}"):
        RegionTemperatures.fit(*maps(LEAST_MAPS - 1), REGIONS)
    with pytest.raises(DrifaError, match="3 validation cases"):
        RegionTemperatures.fit(*maps(12), REGIONS, groups=[number % 3 for number in range(12)])


@pytest.mark.parametrize(("value", "words"), [(0, "is in no validation map"), (1, "is in every pixel")])
def test_a_region_that_shows_nothing_is_refused_by_name(value: int, words: str) -> None:
    truth, p = maps()
    for one in truth:
        one[1] = value
    with pytest.raises(DrifaError, match=f"region 'edema' {words}"):
        RegionTemperatures.fit(truth, p, REGIONS)


def test_what_does_not_fit_is_refused() -> None:
    truth, p = maps()
    with pytest.raises(DrifaError, match="differ in number"):
        RegionTemperatures.fit(truth[:-1], p, REGIONS)
    with pytest.raises(DrifaError, match="differ in number"):
        RegionTemperatures.fit(truth, p, REGIONS, groups=["p"])
    with pytest.raises(DrifaError, match=r"map 0 has shape .*\['core'\]"):
        RegionTemperatures.fit(truth, p, ("core",))
    with pytest.raises(DrifaError, match="do not fit map 0"):
        RegionTemperatures.fit([one[:, 1:] for one in truth], p, REGIONS)
    with pytest.raises(DrifaError, match="do not fit map 0"):
        RegionTemperatures.fit([one * 3 for one in truth], p, REGIONS)
    p[2][0, 0, 0] = np.nan
    with pytest.raises(DrifaError, match="map 2 holds nan"):
        RegionTemperatures.fit(truth, p, REGIONS)
    with pytest.raises(DrifaError, match="the map holds 3"):
        RegionTemperatures(regions=REGIONS, temperatures=(1, 1))(np.full((2, 4, 4), 3))


def test_a_record_out_of_its_bounds_is_refused() -> None:
    for temperatures in ([1.0], [1.0, 0.0]):
        with pytest.raises(DrifaError, match=r"^t.json: "):
            RegionTemperatures.from_json({"regions": REGIONS, "temperatures": temperatures}, "t.json")
