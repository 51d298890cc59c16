"""Strangers at the door: images unlike all that the network was trained on, for which its answer means nothing.

Each modality has a check of its own. It looks at pooled features of several depths of the network, for another kind of image
differs in its texture and colours, which the first stages see, as well as in what it shows; and at plain statistics of the
image, which catch what a network shrugs off. Labels of the new image are not needed, so the check comes before the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from drifa.errors import DrifaError, suggest
from drifa.metrics.classification import Integers
from drifa.metrics.weighted import Floats
from drifa.uncertainty.conformal import least_groups
from drifa.uncertainty.distances import DISTANCES, Distance, check_table
from drifa.uncertainty.image_statistics import STATISTICS, Ranges
from drifa.uncertainty.records import Level, Record, check_groups, one_per_group

Method = Literal["mahalanobis", "neighbours"]
#: Features of N images from one depth of a network, ``[N, F]``, or a tuple of them from several.
Features = ArrayLike | tuple[ArrayLike, ...]


@dataclass(frozen=True)
class OutlierScores:
    """How unusual images are, by their features and by their statistics; fitted on training images of one modality.

    Every look at an image (the features of each depth, and the statistics) gives a distance from the training images. Each
    counts from what is usual, in units of its spread, both of training images that it was not fitted on; their mean is the
    score.

    Attributes:
        method: A key of ``DISTANCES``.
        distances: Of the features of each depth.
        ranges: Of the statistics; None where the modality is not one of 8-bit images.
        middle: Usual distance of each look, K of them. ``[K]``
        spread: Its spread. ``[K]``

    References:
        Lee et al., A simple unified framework for detecting out-of-distribution samples and adversarial attacks, NeurIPS 2018
        (distances at several depths; their weights are learned from strangers there, and are equal here).
    """

    method: str
    distances: tuple[Distance, ...]
    ranges: Ranges | None
    middle: Floats
    spread: Floats

    @classmethod
    def fit(
        cls,
        features: Features,
        labels: ArrayLike,
        statistics: ArrayLike | None = None,
        method: str = "mahalanobis",
        seed: int = 0,
    ) -> Self:
        """Learns what training images look like.

        Args:
            features: Pooled features of one modality; a tuple of those of several depths. ``[N, F]`` each
            labels: Class of each image, any values that have a text form. ``[N]``
            statistics: What :func:`~drifa.uncertainty.image_statistics.image_statistics` gives. ``[N, S]``
            method: ``mahalanobis`` or ``neighbours``.
            seed: Of the training images kept by ``neighbours``, where there are too many.

        Raises:
            DrifaError: An argument is not as described, there are fewer than 2 images more than classes, or no feature varies.
        """
        tables = _tables(features)
        if method not in DISTANCES:
            raise DrifaError(f"method {method!r} of an outlier check is not known{suggest(method, DISTANCES)}")
        count, names = len(tables[0]), np.asarray(labels).astype(str)
        if names.shape != (count,):
            raise DrifaError(f"labels of shape {names.shape} do not fit {count} rows of features: give one label per row")
        classes, number = np.unique(names, return_inverse=True)
        if count < len(classes) + 2:
            raise DrifaError(f"{count} training images of {len(classes)} classes are too few for an outlier check: add images")
        known = None if statistics is None else _statistics(statistics, count)
        looks = _fitted(tables, number, known, method, seed)
        away = _held_out(tables, number, known, method, seed)
        middle, spread = np.median(away, axis=1), away.std(axis=1)
        ranges = looks[-1] if known is not None else None
        distances = looks[: len(tables)]
        return cls(method, distances, ranges, middle, np.where(spread > 0, spread, 1.0))  # type: ignore[arg-type]

    def __call__(self, features: Features, statistics: ArrayLike | None = None) -> Floats:
        """Scores that grow with strangeness, N images -> [N].

        Args:
            features: Of as many depths as those that it was fitted on. ``[N, F]`` each
            statistics: ``[N, S]``; given if and only if they were when it was fitted.

        Raises:
            DrifaError: They are NaN, of another length, or statistics are missing or not expected.
        """
        return ((self.looks(features, statistics) - self.middle[:, None]) / self.spread[:, None]).mean(axis=0)

    def looks(self, features: Features, statistics: ArrayLike | None = None) -> Floats:
        """The distance of each image in every look, the statistics last: ``[K, N]``; arguments and errors as when called."""
        tables = _tables(features, [len(one.mean) for one in self.distances])
        if (statistics is None) != (self.ranges is None):
            fitted, given = ("without", "with") if self.ranges is None else ("with", "without")
            raise DrifaError(
                f"the outlier check was fitted {fitted} image statistics and is asked {given} them: do the same in both"
            )
        known = None if statistics is None else _statistics(statistics, len(tables[0]))
        return _away((*self.distances, *([self.ranges] if self.ranges is not None else [])), tables, known)

    def calibrate(
        self,
        features: Features,
        statistics: ArrayLike | None = None,
        groups: ArrayLike | Sequence[object] | None = None,
        rate: float = 0.05,
        seed: int = 0,
    ) -> OutlierCheck:
        """Learns from validation images, of groups that training has not met, how unusual the usual is.

        Args:
            features: As in :meth:`fit`.
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
        rows = one_per_group(check_groups(groups, len(scores)), seed, scores)
        least = least_groups(1 - rate)
        if len(rows) < least:
            raise DrifaError(
                f"{len(rows)} validation groups are too few to hold false alarms at {rate:g}, which needs at least {least}: "
                "add validation groups, or accept a higher rate"
            )
        record = OutlierRecord(
            method=self.method,  # type: ignore[arg-type]  # a key of DISTANCES
            statistics=STATISTICS if self.ranges is not None else (),
            features=tuple(len(one.mean) for one in self.distances),
            rate=float(rate),
            groups=len(rows),
        )
        return OutlierCheck(self, record, np.sort(scores[rows]))


class OutlierRecord(Record):
    """What an outlier check is, beside its arrays.

    Attributes:
        method: Distance of the features.
        features: F of each depth, from the first on.
        statistics: Names of the S statistics; none where only features are looked at.
        rate: The largest share of false alarms.
        groups: Validation groups behind it, n.
    """

    method: Method
    features: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=100)]
    statistics: tuple[str, ...]
    rate: Level
    groups: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.statistics not in ((), STATISTICS):
            raise ValueError(f"the statistics {list(self.statistics)} are not those of this version")
        if self.groups < least_groups(1 - self.rate):
            raise ValueError(f"{self.groups} groups are too few for a rate of {self.rate:g}")
        return self


@dataclass(frozen=True)
class OutlierCheck:
    r"""Gives each image a p-value: the lower, the stranger. At most ``rate`` of images like those of training are strangers.

    The score s is compared with those of one random image of each of n validation groups:
    :math:`p = (1 + \#\{i: s_i \ge s\}) / (n + 1)`. For a random image of a new group,
    :math:`P(p \le \text{rate}) \le \text{rate}`, as a mean over validation sets.

    Attributes:
        scores: What is compared.
        record: What is kept as JSON.
        usual: Scores of the validation groups, ascending. ``[n]``

    References:
        Bates et al., Testing for outliers with conformal p-values, Annals of Statistics 2023; Dunn et al., JASA 2023 (one
        random image per group).
    """

    scores: OutlierScores
    record: OutlierRecord
    usual: Floats

    def __call__(self, features: Features, statistics: ArrayLike | None = None) -> Floats:
        """The p-value of each image, N images -> [N].

        Args:
            features: Of as many depths as those that it was fitted on. ``[N, F]`` each
            statistics: ``[N, S]``; given if and only if they were when it was fitted.

        Raises:
            DrifaError: As by :class:`OutlierScores`.
        """
        n = len(self.usual)
        return (1 + n - np.searchsorted(self.usual, self.scores(features, statistics), side="left")) / (n + 1)

    def strange(self, features: Features, statistics: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Which images are strangers at the rate that the check was calibrated for, N images -> bool [N]."""
        return self(features, statistics) <= self.record.rate + 1e-12

    def to_json(self) -> dict[str, Any]:
        """The record as plain data; with :meth:`arrays` it is all that :meth:`from_arrays` needs."""
        return self.record.to_json()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The numbers of the check, by name."""
        scores = self.scores
        found = {"usual": self.usual, "middle": scores.middle, "spread": scores.spread}
        for number, one in enumerate(scores.distances):
            found |= {f"{number}_{field.name}": getattr(one, field.name) for field in fields(one)}
        if scores.ranges is not None:
            found |= {field.name: getattr(scores.ranges, field.name) for field in fields(scores.ranges)}
        return found

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
        s, anything = len(record.statistics), -1
        looks = (len(record.features) + (1 if s else 0),)
        shapes: dict[str, tuple[int, ...]] = {"usual": (record.groups,), "middle": looks, "spread": looks}
        for number, f in enumerate(record.features):
            own: dict[str, tuple[int, ...]] = {"mean": (f,), "weight": (f,)}
            if record.method == "mahalanobis":
                directions = len(arrays.get(f"{number}_directions", ()))
                own |= {"centres": (anything, f), "directions": (anything, f), "precision": (directions + 1,)}
            else:
                own |= {"rows": (anything, f)}
            shapes |= {f"{number}_{name}": shape for name, shape in own.items()}
        if s:
            shapes |= dict.fromkeys(("centre", "below", "above"), (s,))
        for name, shape in shapes.items():
            found = np.asarray(arrays[name]) if name in arrays else None
            if found is None:
                raise DrifaError(f"{place}: array {name!r} is missing; fit it again")
            fits = found.ndim == len(shape) and all(b in (a, anything) for a, b in zip(found.shape, shape, strict=True))
            if not fits or not found.size or not np.isfinite(found).all():
                raise DrifaError(f"{place}: array {name!r} of shape {found.shape} does not fit or is not finite; fit it again")

        def part(kind: Any, head: str = "") -> Any:
            return kind(**{field.name: np.asarray(arrays[head + field.name]) for field in fields(kind)})

        distances = tuple(part(DISTANCES[record.method], f"{number}_") for number in range(len(record.features)))
        middle, spread = np.asarray(arrays["middle"]), np.asarray(arrays["spread"])
        if not (spread > 0).all():
            raise DrifaError(f"{place}: array 'spread' holds {spread.min():g}, and spreads are positive; fit it again")
        scores = OutlierScores(record.method, distances, part(Ranges) if s else None, middle, spread)
        return cls(scores, record, np.sort(arrays["usual"]))


def _tables(features: Features, columns: Sequence[int] | None = None) -> list[Floats]:
    """The features of each depth, checked; see :func:`~drifa.uncertainty.distances.check_table`."""
    parts = features if isinstance(features, tuple) else (features,)
    if not parts:
        raise DrifaError("features of no depth were given: give a table, or a tuple of tables")
    if columns is not None and len(parts) != len(columns):
        raise DrifaError(
            f"features of {len(parts)} depths do not fit a check of {len(columns)}: take them from the same network"
        )
    tables = [check_table(one, "features", None if columns is None else columns[k]) for k, one in enumerate(parts)]
    odd = [len(one) for one in tables if len(one) != len(tables[0])]
    if odd:
        raise DrifaError(f"features of {odd[0]} images do not fit those of {len(tables[0])} images at the first depth")
    return tables


def _fitted(
    tables: Sequence[Floats], number: Integers, statistics: Floats | None, method: str, seed: int
) -> tuple[Distance | Ranges, ...]:
    """Every look, fitted; that of the statistics last."""
    distances = [DISTANCES[method].fit(one, number, seed) for one in tables]
    return (*distances, *([] if statistics is None else [Ranges.fit(statistics)]))


def _away(looks: Sequence[Distance | Ranges], tables: Sequence[Floats], statistics: Floats | None) -> Floats:
    """Distance of each image in every look: ``[K, N]``."""
    seen = [*tables, *([] if statistics is None else [statistics])]
    return np.stack([look(one) for look, one in zip(looks, seen, strict=True)])


def _held_out(tables: Sequence[Floats], number: Integers, statistics: Floats | None, method: str, seed: int) -> Floats:
    """Distances of training images from the half that they are not in, ``[K, N]``; from all where a half is too few."""
    # Halves by the order of the values, so that they are the same whatever the order of the images.
    order = np.lexsort(tables[-1].T[::-1])
    first, second = order[::2], order[1::2]
    found = []
    for fitted, asked in ((first, second), (second, first)):
        classes, own = np.unique(number[fitted], return_inverse=True)
        constant = any((one[fitted] == one[fitted[0]]).all() for one in tables)
        if constant or len(fitted) < len(classes) + 2:
            return _away(_fitted(tables, number, statistics, method, seed), tables, statistics)
        known = (None, None) if statistics is None else (statistics[fitted], statistics[asked])
        looks = _fitted([one[fitted] for one in tables], own, known[0], method, seed)
        found.append(_away(looks, [one[asked] for one in tables], known[1]))
    return np.concatenate(found, axis=1)


def _statistics(statistics: ArrayLike, count: int) -> Floats:
    table = check_table(statistics, "image statistics", len(STATISTICS))
    if len(table) != count:
        raise DrifaError(f"{len(table)} rows of image statistics do not fit {count} rows of features: give one per image")
    return table
