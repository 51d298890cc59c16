"""Class probabilities that mean what they say: fitted on validation images, after members and passes are averaged.

A calibration is fitted by ``fit(labels, probabilities)`` and then called on probabilities. All of them work on averaged
probabilities (through their logarithms), so no logits are needed, and one is enough for a whole ensemble.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from drifa.errors import DrifaError, suggest
from drifa.metrics.classification import Integers
from drifa.metrics.weighted import Floats
from drifa.uncertainty.records import (
    FLOOR,
    Names,
    Record,
    check_groups,
    check_labelled,
    check_probabilities,
    normalised,
    one_each,
)

#: Bounds of a temperature.
COLDEST, HOTTEST = 0.01, 100.0
#: How strongly vector scaling is held at "change nothing", so that a class told apart without an error does not run away.
PULL = 1e-3

Share = Annotated[float, Field(ge=0, le=1)]
Curve = Annotated[tuple[tuple[Share, Annotated[float, Field(gt=0, lt=1)]], ...], Field(min_length=1)]


class Least(NamedTuple):
    """The least number of cases (groups where groups are given, else images) that a method is fitted on."""

    cases: int
    of_each_class: int


class ClassCalibration(Record, ABC):
    """Fitted on validation by :meth:`fit`, then called on probabilities.

    Attributes:
        classes: Names of the C classes.
    """

    least: ClassVar[Least]

    method: str
    classes: Names

    @classmethod
    def fit(
        cls,
        labels: ArrayLike,
        probabilities: ArrayLike,
        classes: Sequence[str] | None = None,
        groups: ArrayLike | Sequence[object] | None = None,
    ) -> Self:
        """Learns from validation images what their probabilities mean.

        Args:
            labels: True class of each image. ``[N]``
            probabilities: Class probabilities, averaged over members and passes. ``[N, C]``
            classes: C names; None = their numbers.
            groups: Patient or lesion of each image, which is then what counts as one case. ``[N]``

        Raises:
            DrifaError: Probabilities, labels or groups are not as described, or there are fewer cases, of any class or in all,
                than ``least`` says.
        """
        truth, p, names = check_labelled(labels, probabilities, classes)
        case = check_groups(groups, len(truth))
        cls._refuse_few(truth, names, case)
        return cls(classes=names, **cls._learn(truth, p, len(np.unique(case))))

    @abstractmethod
    def __call__(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, [N, C] -> [N, C].

        Raises:
            DrifaError: They are no probabilities, or of other classes.
        """

    @classmethod
    @abstractmethod
    def _learn(cls, truth: Integers, p: Floats, cases: int) -> dict[str, Any]:
        """The fields beside the classes."""

    @classmethod
    def _refuse_few(cls, truth: Integers, names: Sequence[str], case: Integers) -> None:
        method, least = cls.model_fields["method"].default, cls.least
        cases = len(np.unique(case))
        remedy = "" if method == "temperature" else ", or use 'temperature'"
        if cases < least.cases:
            raise DrifaError(
                f"{cases} validation cases are too few for calibration {method!r}, which needs at least {least.cases}: "
                f"enlarge the validation split{remedy}"
            )
        for index, name in enumerate(names):
            found = len(np.unique(case[truth == index]))
            if found < least.of_each_class:
                raise DrifaError(
                    f"class {name!r} has {found} validation cases, and calibration {method!r} needs at least "
                    f"{least.of_each_class} of each class: split again so that validation has them{remedy}"
                )


class Temperature(ClassCalibration):
    r"""Divides all log-probabilities by one number: :math:`q_c \propto p_c^{1/T}`.

    T above 1 makes answers less sure, below 1 surer. The answer itself, the largest probability, never changes. T is that of
    the least mean negative log-likelihood, a convex search in 1 / T. Where no T is best because every answer is right (the
    surer, the better), there is nothing to learn from and T is 1.

    Attributes:
        classes: Names of the C classes.
        temperature: T.

    References:
        Guo et al., On calibration of modern neural networks, ICML 2017; Rahaman and Thiery, Uncertainty quantification and
        deep ensembles, NeurIPS 2021 (average first, then calibrate).
    """

    least = Least(50, 1)

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(ge=COLDEST, le=HOTTEST)

    @classmethod
    def _learn(cls, truth: Integers, p: Floats, cases: int) -> dict[str, Any]:
        z = _logs(p)
        of_truth = z[np.arange(len(z)), truth].mean()

        def slope(sharpness: float) -> float:
            return float((_softmax(sharpness * z) * z).sum(axis=1).mean() - of_truth)

        return {"temperature": temperature_of(slope)}

    def __call__(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, [N, C] -> [N, C]."""
        p = check_probabilities(probabilities, self.classes)
        q = _softmax(_logs(p) / self.temperature)
        # Two probabilities that differ in their last digit can become equal: the larger one stays ahead.
        rows, first = np.arange(len(p)), p.argmax(axis=1)
        q[rows, first] = np.where(q.argmax(axis=1) == first, q[rows, first], np.nextafter(q.max(axis=1), 2))
        return q


class VectorScaling(ClassCalibration):
    r"""Scales and shifts the log-probability of each class: :math:`q_c \propto p_c^{w_c} e^{b_c}`.

    Can set right one class that is too sure and another that is not sure enough; the answer may change.

    Attributes:
        classes: Names of the C classes.
        scale: :math:`w_c`.
        shift: :math:`b_c`.

    References:
        Guo et al., On calibration of modern neural networks, ICML 2017.
    """

    least = Least(200, 20)

    method: Literal["vector"] = "vector"
    scale: tuple[Annotated[float, Field(ge=0, le=100)], ...]
    shift: tuple[Annotated[float, Field(ge=-100, le=100)], ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        one_each(self.classes, scale=self.scale, shift=self.shift)
        return self

    @classmethod
    def _learn(cls, truth: Integers, p: Floats, cases: int) -> dict[str, Any]:
        from scipy.optimize import minimize

        z, count = _logs(p), p.shape[1]
        start = np.repeat([1.0, 0.0], count)
        rows = np.arange(len(z))

        def loss(parameters: Floats) -> tuple[float, Floats]:
            q = _softmax(z * parameters[:count] + parameters[count:])
            off = parameters - start
            value = -np.log(np.maximum(q[rows, truth], 1e-300)).mean() + PULL * (off**2).sum()
            q[rows, truth] -= 1
            return float(value), np.concatenate([(q * z).mean(axis=0), q.mean(axis=0)]) + 2 * PULL * off

        bounds = [(0, 100)] * count + [(-100, 100)] * count
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x.tolist()
        return {"scale": tuple(found[:count]), "shift": tuple(found[count:])}

    def __call__(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, [N, C] -> [N, C]."""
        p = check_probabilities(probabilities, self.classes)
        return _softmax(_logs(p) * np.array(self.scale) + np.array(self.shift))


class Isotonic(ClassCalibration):
    """Maps the probability of each class through a rising curve of its own; rows are then made to sum to 1.

    The curves never reach 0 or 1: n cases cannot tell 0 from 1 / (n + 2). The answer may change.

    Attributes:
        classes: Names of the C classes.
        curves: Per class, (probability, calibrated probability), both ascending; straight lines between.

    References:
        Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability estimates, KDD 2002.
    """

    least = Least(1000, 50)

    method: Literal["isotonic"] = "isotonic"
    curves: tuple[Curve, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        one_each(self.classes, curves=self.curves)
        for name, curve in zip(self.classes, self.curves, strict=True):
            if any(after[0] <= before[0] or after[1] < before[1] for before, after in pairwise(curve)):
                raise ValueError(f"the curve of class {name!r} does not rise")
        return self

    @classmethod
    def _learn(cls, truth: Integers, p: Floats, cases: int) -> dict[str, Any]:
        from sklearn.isotonic import IsotonicRegression

        edge = 1 / (cases + 2)
        curves = []
        for index in range(p.shape[1]):
            line = IsotonicRegression(y_min=edge, y_max=1 - edge).fit(np.minimum(p[:, index], 1), truth == index)
            curves.append(tuple(zip(line.X_thresholds_.tolist(), line.y_thresholds_.tolist(), strict=True)))
        return {"curves": tuple(curves)}

    def __call__(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, [N, C] -> [N, C]."""
        p = check_probabilities(probabilities, self.classes)
        columns = [np.interp(p[:, index], *np.array(curve).T) for index, curve in enumerate(self.curves)]
        return normalised(np.stack(columns, axis=1))


#: Method -> how it is fitted and read.
CALIBRATIONS: dict[str, type[ClassCalibration]] = {
    "temperature": Temperature,
    "vector": VectorScaling,
    "isotonic": Isotonic,
}


def fit_calibration(
    labels: ArrayLike,
    probabilities: ArrayLike,
    method: str = "temperature",
    classes: Sequence[str] | None = None,
    groups: ArrayLike | Sequence[object] | None = None,
) -> ClassCalibration:
    """Fits a calibration by the name of its method, see :meth:`ClassCalibration.fit`.

    Args:
        labels: True class of each validation image. ``[N]``
        probabilities: Class probabilities, averaged over members and passes. ``[N, C]``
        method: A key of ``CALIBRATIONS``.
        classes: C names; None = their numbers.
        groups: Patient or lesion of each image. ``[N]``

    Returns:
        What maps probabilities ``[N, C]`` to calibrated ones when called.

    Raises:
        DrifaError: The method is unknown, or :meth:`ClassCalibration.fit` refuses.
    """
    return _method(method, "calibration").fit(labels, probabilities, classes, groups)


def read_calibration(value: Mapping[str, Any], place: str = "the calibration") -> ClassCalibration:
    """Reads what ``to_json`` of any calibration gave.

    Raises:
        DrifaError: The method is unknown, or the record is not one of it.
    """
    return _method(value.get("method"), f"{place}: method").from_json(value, place)


def temperature_of(slope: Callable[[float], float]) -> float:
    """The temperature of the least loss, from the slope of a loss that is convex in 1 / T; 1 where surer is always better.

    Args:
        slope: Derivative of the loss by 1 / T.
    """
    from scipy.optimize import brentq

    dullest, sharpest = 1 / HOTTEST, 1 / COLDEST
    if slope(sharpest) <= 0:
        return 1.0
    if slope(dullest) >= 0:
        return HOTTEST
    return float(np.clip(1 / brentq(slope, dullest, sharpest), COLDEST, HOTTEST))


def _method(name: object, place: str) -> type[ClassCalibration]:
    if not isinstance(name, str) or name not in CALIBRATIONS:
        raise DrifaError(f"{place} {name!r} is not known{suggest(name, CALIBRATIONS)}")
    return CALIBRATIONS[name]


def _logs(probabilities: Floats) -> Floats:
    return np.log(np.maximum(probabilities, FLOOR))


def _softmax(logits: Floats) -> Floats:
    return normalised(np.exp(logits - logits.max(axis=1, keepdims=True)))
