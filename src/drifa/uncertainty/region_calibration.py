"""A temperature for each region of segmentation maps whose probabilities are sigmoids: regions that may overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from drifa.errors import DrifaError
from drifa.metrics.weighted import Floats
from drifa.uncertainty.calibration import COLDEST, HOTTEST, temperature_of
from drifa.uncertainty.records import Names, Record, one_each

#: The least number of cases (patients where groups are given, else maps): pixels of one map are no new cases.
LEAST_MAPS = 10
#: float32 cannot say more than this for certain.
SMALLEST = 1e-7
#: Maps are not kept: pixels are counted in so many classes of log-odds, fine enough that T is right to four digits.
BINS = 4096
_NONE = object()


class RegionTemperatures(Record):
    r"""Divides the log-odds of each region by a number of its own: :math:`\sigma(\sigma^{-1}(p_r) / T_r)`.

    What is above one half stays there, so that masks cut at one half do not change.

    Attributes:
        regions: Names of the R regions.
        temperatures: :math:`T_r`.

    References:
        Guo et al., On calibration of modern neural networks, ICML 2017; Mehrtash et al., Confidence calibration and predictive
        uncertainty estimation for deep medical image segmentation, IEEE TMI 2020.
    """

    regions: Names
    temperatures: tuple[Annotated[float, Field(ge=COLDEST, le=HOTTEST)], ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        one_each(self.regions, temperatures=self.temperatures)
        return self

    @classmethod
    def fit(
        cls,
        labels: Iterable[ArrayLike],
        probabilities: Iterable[ArrayLike],
        regions: Sequence[str],
        groups: Iterable[object] | None = None,
    ) -> Self:
        """The temperatures of the least mean negative log-likelihood of the pixels; maps are read once, one after the other.

        Args:
            labels: True regions of each map; sizes may differ from map to map. bool ``N x [R, ...]``
            probabilities: Averaged sigmoid probabilities. ``N x [R, ...]``
            regions: R names.
            groups: Patient of each map, which is then what counts as one case. ``N``

        Raises:
            DrifaError: Maps and labels do not fit or hold other than probabilities and truth, there are fewer than
                ``LEAST_MAPS`` cases, or a region is nowhere or everywhere.
        """
        names = tuple(str(name) for name in regions)
        edge = np.log(1 / SMALLEST - 1)
        count, total = np.zeros((2, len(names), 2, BINS))
        cases: set[object] = set()
        lists: tuple[Iterable[Any], ...] = (labels, probabilities) if groups is None else (labels, probabilities, groups)
        for number, (true, given, *owner) in enumerate(zip_longest(*lists, fillvalue=_NONE)):
            if any(one is _NONE for one in (true, given, *owner)):
                raise DrifaError("labels, probabilities and groups differ in number: give one of each per map")
            truth, p = _checked(true, given, names, number)
            cases.add(owner[0] if owner else number)
            x = _log_odds(p)
            bins = np.minimum(((x + edge) / (2 * edge) * BINS).astype(np.int64), BINS - 1)
            for region in range(len(names)):
                for answer in (0, 1):
                    part = truth[region] == answer
                    count[region, answer] += np.bincount(bins[region][part], minlength=BINS)
                    total[region, answer] += np.bincount(bins[region][part], x[region][part], BINS)
        if len(cases) < LEAST_MAPS:
            raise DrifaError(
                f"{len(cases)} validation cases are too few for the temperatures of regions, which need at least {LEAST_MAPS}: "
                "enlarge the validation split"
            )
        for name, pixels in zip(names, count.sum(axis=2), strict=True):
            if 0 in pixels:
                where = "in no validation map" if pixels[1] == 0 else "in every pixel of the validation maps"
                raise DrifaError(f"region {name!r} is {where}: split again so that validation shows it beside its surroundings")
        temperatures = [_temperature(*one) for one in zip(count, total, strict=True)]
        return cls(regions=names, temperatures=tuple(temperatures))

    def __call__(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities of one map, [R, ...] -> [R, ...].

        Raises:
            DrifaError: They are no probabilities, or of another number of regions.
        """
        from scipy.special import expit

        p = _probabilities(probabilities, self.regions, "the map")
        return expit(_log_odds(p.reshape(len(p), -1)) / np.array(self.temperatures)[:, None]).reshape(p.shape)


def _temperature(count: Floats, total: Floats) -> float:
    """From the pixels [2, BINS] of both truths and the sums of their log-odds."""
    from scipy.special import expit

    x = np.divide(total, count, out=np.zeros_like(total), where=count > 0)

    def slope(sharpness: float) -> float:
        off = expit(sharpness * x) - np.array([[0], [1]])
        return float((off * total).sum() / count.sum())

    return temperature_of(slope)


def _checked(true: ArrayLike, given: ArrayLike, names: Sequence[str], number: int) -> tuple[Floats, Floats]:
    p = _probabilities(given, names, f"map {number}")
    truth = np.asarray(true)
    if truth.shape != p.shape or not np.isin(truth, (0, 1)).all():
        raise DrifaError(
            f"labels of shape {truth.shape} do not fit map {number} of shape {p.shape}: give true or false (1 or 0) for each "
            "region and pixel"
        )
    return truth.reshape(len(p), -1), p.reshape(len(p), -1)


def _probabilities(given: ArrayLike, names: Sequence[str], place: str) -> Floats:
    p = np.asarray(given, dtype=np.float64)
    if p.ndim < 2 or len(p) != len(names):
        raise DrifaError(f"{place} has shape {p.shape}: give [regions, ...] for the regions {list(names)}")
    if not ((p >= 0) & (p <= 1)).all():
        wrong = p[~((p >= 0) & (p <= 1))][0]
        raise DrifaError(
            f"{place} holds {wrong:g}, which is no probability: apply the sigmoid first, and look for a broken input"
        )
    return p


def _log_odds(p: Floats) -> Floats:
    inside = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.log(inside / (1 - inside))
