"""When to give no answer: a bar on uncertainty under which the answers given are seldom wrong, with a stated confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from drifa.errors import DrifaError
from drifa.metrics.weighted import Floats
from drifa.uncertainty.records import DIGITS, Level, Record, check_groups, one_per_group

#: One of so many groups only says where the bars to be tested lie; it is not counted, so that the bars are fixed beforehand.
LAYS = 5
#: Bars are laid at so many shares, from the least share of cases to all of them.
BARS = 20


class Abstention(Record):
    r"""Answers only cases whose uncertainty is at most a bar, chosen so that few of these answers are wrong.

    The promise: with probability ``confidence`` over validation groups, a random image of a new group, if it is answered, is
    answered wrongly with a probability of at most ``target``. It holds for any network and any score, good or bad; of a bad
    score fewer cases are kept. New groups must be like those of validation.

    Of each group one random image counts. A fifth of the groups lays the bars; on the others, at bar t with :math:`n_t` kept
    and :math:`k_t` wrong, the hypothesis that the risk exceeds ``target`` is rejected while the upper limit of Clopper and
    Pearson, of one side, is at most ``target``. Bars are tested from the strictest up to the first that fails, so no test has
    to pay for the others; the last one that passed is the bar. Hence a larger ``target`` never keeps fewer. The promise holds
    for all bars that passed at once, so that one of them may be chosen by any rule, such as ``most``.

    Attributes:
        target: The largest risk (share of wrong answers among those given) that is accepted.
        confidence: Probability that the promise holds.
        bar: The largest uncertainty that is answered; None = all are.
        bound: The upper limit of the risk, the largest one up to this bar.
        kept: Groups under the bar, :math:`n_t`.
        wrong: Those of them with a wrong answer, :math:`k_t`.
        groups: Groups that were counted.

    References:
        Angelopoulos et al., Learn then test: calibrating predictive algorithms to achieve risk control, Annals of Applied
        Statistics 2025 (a fixed sequence of tests); Geifman and El-Yaniv, Selective classification for deep neural networks,
        NeurIPS 2017; Clopper and Pearson, Biometrika 1934; Dunn et al., JASA 2023 (one random image per group).
    """

    target: Level
    confidence: Level
    bar: float | None
    bound: float = Field(ge=0, le=1)
    kept: int = Field(ge=1)
    wrong: int = Field(ge=0)
    groups: int = Field(ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not (self.wrong <= self.kept <= self.groups and self.bound <= self.target):
            raise ValueError("wrong, kept and groups do not ascend, or the bound lies above the target")
        return self

    @classmethod
    def fit(
        cls,
        uncertainty: ArrayLike,
        wrong: ArrayLike,
        groups: ArrayLike | Sequence[object] | None,
        target: float,
        confidence: float = 0.9,
        least_kept: float = 0.25,
        seed: int = 0,
        most: float = math.inf,
    ) -> Self:
        """Finds the bar on validation images, which the network was not trained on.

        Args:
            uncertainty: Any score that grows with doubt, for example 1 - the largest probability. ``[N]``
            wrong: Whether the answer is wrong. bool ``[N]``
            groups: Patient or lesion of each image; None where every image is a group of its own. ``[N]``
            target: The largest share of wrong answers among those given, between 0 and 1.
            confidence: Probability that the promise holds, between 0 and 1.
            least_kept: Share of cases under the strictest bar, above 0 and at most 1. To be chosen before looking: a bar of
                few cases can promise little, and where it fails, no other is tried.
            seed: Of the groups that lay the bars and of the random images.
            most: The largest bar that may be chosen, where cases of more uncertainty get no answer for another reason: the
                risk is a share of the answers given, so that taking further ones away can raise it.

        Raises:
            DrifaError: An argument is not as described, or no bar can promise the target: the error names the least risk that
                can be promised.
        """
        doubt, fault = check_uncertainty(uncertainty), np.asarray(wrong)
        if fault.shape != doubt.shape or fault.dtype != bool:
            raise DrifaError(
                f"wrong of shape {fault.shape} and type {fault.dtype} does not fit {len(doubt)} rows of uncertainty: give one "
                "true or false per row"
            )
        clean = least_clean(target, confidence)
        if not 0 < least_kept <= 1:
            raise DrifaError(f"least_kept {least_kept} must lie above 0 and at most at 1, for example 0.25")
        rows = one_per_group(check_groups(groups, len(doubt)), seed, fault, doubt)
        lays = np.zeros(len(rows), dtype=bool)
        lays[np.random.default_rng([seed, 1]).permutation(len(rows))[: len(rows) // LAYS]] = True
        bars, (u, w) = _bars(doubt[rows[lays]], least_kept), (doubt[rows[~lays]], fault[rows[~lays]])
        if bars[0] > most:
            raise DrifaError(
                f"the strictest bar of {len(rows)} validation groups lies at an uncertainty of {bars[0]:.3g}, and above "
                f"{most:.3g} cases go without an answer for another reason, such as an empty prediction set: add validation "
                "groups, or ask the sets for a higher level"
            )
        bars = bars[bars <= most]
        kept = np.array([(u <= bar).sum() for bar in bars])
        errors = np.array([w[u <= bar].sum() for bar in bars])
        bound = np.maximum.accumulate(upper_limit(errors, kept, confidence))
        chosen = int((bound <= target).sum()) - 1
        if chosen < 0:
            raise DrifaError(
                f"a risk of {target:g} with confidence {confidence:g} cannot be promised by {len(rows)} validation groups, the "
                f"least that can is {math.ceil(bound[0] * 1000) / 1000:g} ({errors[0]} of the {kept[0]} surest are wrong; "
                f"{clean} without an error would do): raise the target, or add validation groups"
            )
        bar = float(bars[chosen])
        return cls(
            target=float(target),
            confidence=float(confidence),
            bar=bar if math.isfinite(bar) else None,
            bound=float(bound[chosen]),
            kept=int(kept[chosen]),
            wrong=int(errors[chosen]),
            groups=len(u),
        )

    def __call__(self, uncertainty: ArrayLike) -> NDArray[np.bool_]:
        """Which cases are answered, [N] -> bool [N].

        Raises:
            DrifaError: The uncertainty is not one finite number per case.
        """
        doubt = check_uncertainty(uncertainty)
        return doubt <= (math.inf if self.bar is None else self.bar)


def least_clean(target: float, confidence: float) -> int:
    """The least number of kept groups with which a risk can be promised if not one of them is wrong.

    Args:
        target: The largest share of wrong answers among those given.
        confidence: Probability that the promise holds.

    Raises:
        DrifaError: One of them does not lie between 0 and 1.

    Examples:
        >>> least_clean(0.1, 0.9), least_clean(0.05, 0.9), least_clean(0.01, 0.95)
        (22, 45, 299)
    """
    for name, value in (("target risk", target), ("confidence", confidence)):
        if not 0 < value < 1:
            raise DrifaError(f"{name} {value} of an abstention must lie between 0 and 1, for example 0.1 and 0.9")
    return math.ceil(math.log(1 - confidence) / math.log(1 - target) - 1e-9)


def upper_limit(errors: ArrayLike, cases: ArrayLike, confidence: float) -> Floats:
    """The one-sided upper limit of a rate by Clopper and Pearson; 1 where there are no cases.

    Shape:
        errors, cases [J] -> [J].
    """
    from scipy.stats import beta

    k, n = np.asarray(errors), np.asarray(cases)
    some = k < n
    return np.where(some, beta.ppf(confidence, k + 1, np.where(some, n - k, 1)), 1.0)


def check_uncertainty(uncertainty: ArrayLike) -> Floats:
    """One finite number per case, rounded so that equal scores are equal.

    Raises:
        DrifaError: It is something else.
    """
    try:
        doubt = np.asarray(uncertainty, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DrifaError(f"uncertainty is no list of numbers ({error}): give one number per case") from error
    if doubt.ndim != 1:
        raise DrifaError(f"uncertainty of shape {doubt.shape} must be one number per case")
    lost = np.flatnonzero(~np.isfinite(doubt))
    if len(lost):
        raise DrifaError(f"uncertainty is {doubt[lost[0]]} in row {lost[0]}: leave out such rows, or predict again")
    return np.round(doubt, DIGITS)


def _bars(uncertainty: Floats, least_kept: float) -> Floats:
    """Bars from the strictest on, the last one above all scores, so that everything is kept."""
    if not len(uncertainty):
        return np.array([math.inf])
    shares = np.linspace(least_kept, 1, BARS + 1)[:-1]
    return np.append(np.unique(np.quantile(uncertainty, shares, method="inverted_cdf")), math.inf)
