"""What calibrations and sets have in common: records that JSON can hold, and the checks of what they are fitted on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drifa.errors import DrifaError, suggest
from drifa.metrics.classification import Integers, class_indices, probability_table
from drifa.metrics.weighted import Floats

#: Probabilities below this count as this much, as in the metric ``nll``.
FLOOR = 1e-12
#: Equal scores stay equal, whatever the order in which probabilities were added up.
DIGITS = 10

Level = Annotated[float, Field(gt=0, lt=1)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Record(BaseModel):
    """Something fitted: plain numbers with types and bounds, which cannot be changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def to_json(self) -> dict[str, Any]:
        """Plain data that :meth:`from_json` reads."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, value: Mapping[str, Any], place: str = "the record") -> Self:
        """Reads what :meth:`to_json` gave.

        Args:
            value: Plain data.
            place: Where it stands, for the error.

        Raises:
            DrifaError: A key is missing or unknown, or a value has another type or lies out of its bounds.
        """
        try:
            return cls.model_validate_json(json.dumps(value))
        except ValidationError as error:
            raise DrifaError(f"{place}: {_explain(error, list(cls.model_fields))}; fit it again") from error


def _explain(error: ValidationError, keys: Sequence[str]) -> str:
    first = error.errors()[0]
    dotted = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {dotted!r}{suggest(dotted, keys)}"
    if first["type"] == "missing":
        return f"key {dotted!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    return f"{dotted} = {first['input']!r}: {message[0].lower()}{message[1:]}" if dotted else message


def check_probabilities(probabilities: ArrayLike, classes: Sequence[str] | None = None) -> Floats:
    """Class probabilities as a table of numbers, checked.

    Args:
        probabilities: ``[N, C]``
        classes: Names of the C classes that they must fit; None = any number of classes.

    Raises:
        DrifaError: A value is NaN or infinite, a row is no distribution, or the number of columns is not C.
    """
    try:
        p = np.asarray(probabilities, dtype=np.float64)
        lost = np.argwhere(~np.isfinite(p))
        if len(lost):
            raise DrifaError(
                f"the probabilities hold {p[tuple(lost[0])]} in row {lost[0][0]}: the network has diverged or its input is "
                "broken; leave out such rows or train again"
            )
        p = probability_table(p)
    except (TypeError, ValueError) as error:
        raise DrifaError(str(error)) from error
    if classes is not None and p.shape[1] != len(classes):
        raise DrifaError(
            f"probabilities of {p.shape[1]} classes do not fit {len(classes)} class names {list(classes)}: "
            "give one column per class, in this order"
        )
    return np.maximum(p, 0)


def check_labelled(
    labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str] | None
) -> tuple[Integers, Floats, tuple[str, ...]]:
    """Labels and probabilities, checked against each other, and the names of the classes.

    Args:
        labels: True class of each row. ``[N]``
        probabilities: ``[N, C]``
        classes: C names; None = their numbers.

    Raises:
        DrifaError: As in :func:`check_probabilities`, or a label is no class index, or there is not one label per row.
    """
    p = check_probabilities(probabilities, classes)
    truth = np.asarray(labels)
    if truth.shape != p.shape[:1]:
        raise DrifaError(f"labels of shape {truth.shape} do not fit {len(p)} rows of probabilities: give one label per row")
    try:
        indices = class_indices(truth, p.shape[1])
    except ValueError as error:
        raise DrifaError(str(error)) from error
    return indices, p, tuple(str(name) for name in (range(p.shape[1]) if classes is None else classes))


def check_groups(groups: ArrayLike | Sequence[object] | None, count: int) -> NDArray[np.int64]:
    """The number of each row's group, groups counted in the order of their names; each row its own where None is given.

    Args:
        groups: Any values that have a text form. ``[N]``
        count: N.

    Raises:
        DrifaError: There is not one group per row.
    """
    if groups is None:
        return np.arange(count)
    names = np.asarray(groups).astype(str)
    if names.shape != (count,):
        raise DrifaError(f"groups of shape {names.shape} do not fit {count} rows: give one group per row")
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def one_per_group(case: Integers, seed: int | None, *keys: NDArray[Any]) -> NDArray[np.int64]:
    """The row of each group that stands for it: images of one patient are not independent of each other, patients are.

    Args:
        case: Number of each row's group, as :func:`check_groups` gives it. ``[N]``
        seed: Of a random row; the same seed and rows give the same, whatever their order. None = the row of the largest keys.
        *keys: What tells the rows of a group apart, the last one first. ``[N]`` each

    Shape:
        case [N] -> [groups].

    References:
        Dunn et al., Distribution-free prediction sets for two-layer hierarchical models, JASA 2023.
    """
    order = np.lexsort((*keys, case))
    begins = np.flatnonzero(np.diff(case[order], prepend=-1))
    sizes = np.diff(begins, append=len(order))
    pick = sizes - 1 if seed is None or not len(sizes) else np.random.default_rng(seed).integers(sizes)
    return order[begins + pick]


def one_each(classes: Sequence[str], **lists: Sequence[object]) -> None:
    """Refuses lists that do not have one entry per class.

    Raises:
        ValueError: One of them has more or fewer.
    """
    for name, values in lists.items():
        if len(values) != len(classes):
            raise ValueError(f"{name} has {len(values)} entries for {len(classes)} classes")


def normalised(values: Floats) -> Floats:
    """Rows that sum to 1, [N, C] -> [N, C]."""
    return values / values.sum(axis=1, keepdims=True)
