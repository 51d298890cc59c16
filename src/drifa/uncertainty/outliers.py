"""Strangers at the door: images unlike all that the network was trained on, for which its answer means nothing.

Each modality has a check of its own. It looks at pooled features, and at plain statistics of the image, which catch what a
network shrugs off (blank, inverted, noise). Labels of the new image are not needed, so the check comes before the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from drifa.errors import DrifaError, suggest
from drifa.metrics.weighted import Floats
from drifa.uncertainty.conformal import least_groups
from drifa.uncertainty.distances import DISTANCES, Distance, check_table
from drifa.uncertainty.image_statistics import STATISTICS, Ranges
from drifa.uncertainty.records import Level, Record, check_groups, one_per_group

Method = Literal["mahalanobis", "neighbours"]


@dataclass(frozen=True)
class OutlierScores:
    """How unusual images are, by their features and by their statistics; fitted on training images of one modality.

    Attributes:
        method: A key of ``DISTANCES``.
        distance: Of the features.
        ranges: Of the statistics; None where the modality is not one of 8-bit images.
    """

    method: str
    distance: Distance
    ranges: Ranges | None

    @classmethod
    def fit(
        cls,
        features: ArrayLike,
        labels: ArrayLike,
        statistics: ArrayLike | None = None,
        method: str = "mahalanobis",
        seed: int = 0,
    ) -> Self:
        """Learns what training images look like.

        Args:
            features: Pooled features of one modality. ``[N, F]``
            labels: Class of each image, any values that have a text form. ``[N]``
            statistics: What :func:`~drifa.uncertainty.image_statistics.image_statistics` gives. ``[N, S]``
            method: ``mahalanobis`` or ``neighbours``.
            seed: Of the training images kept by ``neighbours``, where there are too many.

        Raises:
            DrifaError: An argument is not as described, there are fewer than 2 images more than classes, or no feature varies.
        """
        x = check_table(features, "features")
        if method not in DISTANCES:
            raise DrifaError(f"method {method!r} of an outlier check is not known{suggest(method, DISTANCES)}")
        names = np.asarray(labels).astype(str)
        if names.shape != (len(x),):
            raise DrifaError(f"labels of shape {names.shape} do not fit {len(x)} rows of features: give one label per row")
        classes, number = np.unique(names, return_inverse=True)
        if len(x) < len(classes) + 2:
            raise DrifaError(f"{len(x)} training images of {len(classes)} classes are too few for an outlier check: add images")
        ranges = None if statistics is None else Ranges.fit(_statistics(statistics, len(x)))
        return cls(method, DISTANCES[method].fit(x, number, seed), ranges)

    def __call__(self, features: ArrayLike, statistics: ArrayLike | None = None) -> Floats:
        """Scores that grow with strangeness: of the features, then of the statistics where they were fitted, K = 1 or 2.

        Args:
            features: ``[N, F]``
            statistics: ``[N, S]``; given if and only if they were when it was fitted.

        Shape:
            ``[K, N]``

        Raises:
            DrifaError: They are NaN, of another length, or statistics are missing or not expected.
        """
        x = check_table(features, "features", len(self.distance.mean))
        if (statistics is None) != (self.ranges is None):
            fitted, given = ("without", "with") if self.ranges is None else ("with", "without")
            raise DrifaError(
                f"the outlier check was fitted {fitted} image statistics and is asked {given} them: do the same in both"
            )
        found = [self.distance(x)]
        if self.ranges is not None and statistics is not None:
            found.append(self.ranges(_statistics(statistics, len(x))))
        return np.stack(found)

    def calibrate(
        self,
        features: ArrayLike,
        statistics: ArrayLike | None = None,
        groups: ArrayLike | Sequence[object] | None = None,
        rate: float = 0.05,
        seed: int = 0,
    ) -> OutlierCheck:
        """Learns from validation images, of groups that training has not met, how unusual the usual is.

        Args:
            features: ``[N, F]``
            statistics: ``[N, S]``
            groups: Patient or lesion of each image; None where every image is a group of its own. ``[N]``
            rate: Share of false alarms that is accepted, between 0 and 1.
            seed: Of the random image of each group.

        Raises:
            DrifaError: As when called, or there are fewer groups than the rate needs.
        """
        if not 0 < rate < 1:
            raise DrifaError(f"rate {rate} of false alarms must lie between 0 and 1, for example 0.05")
        scores = self(features, statistics)
        rows = one_per_group(check_groups(groups, scores.shape[1]), seed, *scores)
        least = least_groups(1 - rate / len(scores))
        if len(rows) < least:
            raise DrifaError(
                f"{len(rows)} validation groups are too few to hold false alarms at {rate:g}, which needs at least {least}: "
                "add validation groups, or accept a higher rate"
            )
        record = OutlierRecord(
            method=self.method,  # type: ignore[arg-type]  # a key of DISTANCES
            statistics=STATISTICS if self.ranges is not None else (),
            features=len(self.distance.mean),
            rate=float(rate),
            groups=len(rows),
        )
        return OutlierCheck(self, record, np.sort(scores[:, rows], axis=1))


class OutlierRecord(Record):
    """What an outlier check is, beside its arrays.

    Attributes:
        method: Distance of the features.
        features: F, their number.
        statistics: Names of the S statistics; none where only features are looked at.
        rate: The largest share of false alarms.
        groups: Validation groups behind it, n.
    """

    method: Method
    features: int = Field(ge=1)
    statistics: tuple[str, ...]
    rate: Level
    groups: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.statistics not in ((), STATISTICS):
            raise ValueError(f"the statistics {list(self.statistics)} are not those of this version")
        if self.groups < least_groups(1 - self.rate / (2 if self.statistics else 1)):
            raise ValueError(f"{self.groups} groups are too few for a rate of {self.rate:g}")
        return self


@dataclass(frozen=True)
class OutlierCheck:
    r"""Gives each image a p-value: the lower, the stranger. At most ``rate`` of images like those of training are strangers.

    Each score s is compared with those of one random image of each of n validation groups:
    :math:`p_k = (1 + \#\{i: s_{k,i} \ge s_k\}) / (n + 1)`. The K of them become one by Bonferroni's rule,
    :math:`p = \min(1, K \min_k p_k)`. This holds however the two scores depend on each other, and they do; with two, little
    is lost. Means of p-values (Cauchy's, the harmonic) hold for small p and some dependences only. For a random image of a new
    group, :math:`P(p \le \text{rate}) \le \text{rate}`, as a mean over validation sets.

    Attributes:
        scores: What is compared.
        record: What is kept as JSON.
        usual: Scores of the validation groups, ascending. ``[K, n]``

    References:
        Bates et al., Testing for outliers with conformal p-values, Annals of Statistics 2023; Dunn et al., JASA 2023 (one
        random image per group).
    """

    scores: OutlierScores
    record: OutlierRecord
    usual: Floats

    def __call__(self, features: ArrayLike, statistics: ArrayLike | None = None) -> Floats:
        """The p-value of each image, N images -> [N].

        Args:
            features: ``[N, F]``
            statistics: ``[N, S]``; given if and only if they were when it was fitted.

        Raises:
            DrifaError: As by :class:`OutlierScores`.
        """
        found = self.scores(features, statistics)
        n = self.usual.shape[1]
        below = np.stack([np.searchsorted(usual, one, side="left") for usual, one in zip(self.usual, found, strict=True)])
        return np.minimum(1, len(found) * ((1 + n - below) / (n + 1)).min(axis=0))

    def strange(self, features: ArrayLike, statistics: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Which images are strangers at the rate that the check was calibrated for, N images -> bool [N]."""
        return self(features, statistics) <= self.record.rate + 1e-12

    def to_json(self) -> dict[str, Any]:
        """The record as plain data; with :meth:`arrays` it is all that :meth:`from_arrays` needs."""
        return self.record.to_json()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The numbers of the check, by name."""
        scores = self.scores
        parts = (scores.distance,) if scores.ranges is None else (scores.distance, scores.ranges)
        return {"usual": self.usual, **{field.name: getattr(part, field.name) for part in parts for field in fields(part)}}

    @classmethod
    def from_arrays(
        cls, value: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], place: str = "the outlier check"
    ) -> Self:
        """Reads what :meth:`to_json` and :meth:`arrays` gave.

        Args:
            value: The record, as plain data.
            arrays: Name -> numbers.
            place: Where it stands, for the error.

        Raises:
            DrifaError: The record is not one, or an array is missing, holds NaN, or does not fit it.
        """
        record = OutlierRecord.from_json(value, place)
        f, s, anything = record.features, len(record.statistics), -1
        shapes = {"usual": (2 if s else 1, record.groups), "mean": (f,), "weight": (f,)}
        if record.method == "mahalanobis":
            directions = len(arrays.get("directions", ()))
            shapes |= {"centres": (anything, f), "directions": (anything, f), "precision": (directions + 1,)}
        else:
            shapes |= {"rows": (anything, f)}
        if s:
            shapes |= dict.fromkeys(("centre", "below", "above"), (s,))
        for name, shape in shapes.items():
            found = np.asarray(arrays[name]) if name in arrays else None
            if found is None:
                raise DrifaError(f"{place}: array {name!r} is missing; fit it again")
            fits = found.ndim == len(shape) and all(b in (a, anything) for a, b in zip(found.shape, shape, strict=True))
            if not fits or not found.size or not np.isfinite(found).all():
                raise DrifaError(f"{place}: array {name!r} of shape {found.shape} does not fit or is not finite; fit it again")

        def part(kind: Any) -> Any:
            return kind(**{field.name: np.asarray(arrays[field.name]) for field in fields(kind)})

        scores = OutlierScores(record.method, part(DISTANCES[record.method]), part(Ranges) if s else None)
        return cls(scores, record, np.sort(arrays["usual"], axis=1))


def _statistics(statistics: ArrayLike, count: int) -> Floats:
    table = check_table(statistics, "image statistics", len(STATISTICS))
    if len(table) != count:
        raise DrifaError(f"{len(table)} rows of image statistics do not fit {count} rows of features: give one per image")
    return table
