"""Sets of classes that hold the true one with a promised probability, whatever the network: split conformal prediction.

The promise rests on exchangeability: a new case must be like the calibration cases. Images of one patient or lesion are not
exchangeable with each other, but patients are; so each group lends one score, never one per image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from drifa.errors import DrifaError, suggest
from drifa.metrics.weighted import Floats
from drifa.uncertainty.records import (
    DIGITS,
    Level,
    Names,
    Record,
    check_groups,
    check_labelled,
    check_probabilities,
    one_each,
    one_per_group,
)

Score = Literal["lac", "aps", "raps"]
PerGroup = Literal["random", "largest"]


class ConformalSets(Record):
    r"""Prediction sets: all classes whose score is at most a threshold, a quantile of the true classes' scores.

    Scores, with :math:`p_c` the probability of class c and :math:`r_c` its rank (1 = the most probable):

    * ``lac``: :math:`1 - p_c`. The smallest sets on average; a set may be empty, where no class is probable enough.
    * ``aps``: the sum of the probabilities down to and including :math:`p_c`. Larger sets where the network is unsure.
    * ``raps``: the same plus ``penalty`` :math:`\cdot \max(0, r_c - \text{free\_ranks})`, against long tails of classes.

    Nothing is drawn at random when a set is made: the same image has the same set each time. Sets of ``aps`` and ``raps``
    always hold the most probable class; adding it can only raise the coverage.

    With n calibration groups and level :math:`1 - \alpha`, the threshold is the :math:`\lceil (n + 1)(1 - \alpha) \rceil`-th
    smallest score. For a random image of each group this promises :math:`P(y \in \text{set}) \ge 1 - \alpha` for a random
    image of a new group; for the largest score of each group it promises that *all* images of a new group are covered at once,
    with larger sets. With ``per_class`` the promise holds for each true class by itself, with the n of that class.

    Attributes:
        classes: Names of the C classes.
        score: How unusual a class is for an image.
        level: The promised probability.
        per_class: Whether each class has a threshold of its own.
        per_group: Which image of a group lends its score.
        penalty: Of ``raps``, per rank.
        free_ranks: Ranks without a penalty.
        thresholds: The largest score inside the set: one per class, or one for all.
        groups: Calibration groups behind each threshold.

    References:
        Sadinle et al., Least ambiguous set-valued classifiers with bounded error levels, JASA 2019 (``lac``); Romano et al.,
        Classification with valid and adaptive coverage, NeurIPS 2020 (``aps``); Angelopoulos et al., Uncertainty sets for
        image classifiers using conformal prediction, ICLR 2021 (``raps``); Dunn et al., Distribution-free prediction sets for
        two-layer hierarchical models, JASA 2023 (one random image per group); Vovk, Conditional validity of inductive
        conformal predictors, ACML 2012 (per class; the spread of the coverage).
    """

    classes: Names
    score: Score
    level: Level
    per_class: bool
    per_group: PerGroup
    penalty: float = Field(ge=0)
    free_ranks: int = Field(ge=0)
    thresholds: Annotated[tuple[float, ...], Field(min_length=1)]
    groups: tuple[Annotated[int, Field(ge=1)], ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        one_each(self.classes if self.per_class else ("all",), thresholds=self.thresholds, groups=self.groups)
        if min(self.groups) < least_groups(self.level):
            raise ValueError(f"{min(self.groups)} groups are too few for level {self.level:g}")
        return self

    @classmethod
    def fit(
        cls,
        labels: ArrayLike,
        probabilities: ArrayLike,
        groups: ArrayLike | Sequence[object] | None,
        level: float = 0.9,
        score: str = "lac",
        per_class: bool = False,
        per_group: str = "random",
        classes: Sequence[str] | None = None,
        penalty: float = 0.1,
        free_ranks: int = 1,
        seed: int = 0,
    ) -> Self:
        """Finds the thresholds on calibration images, which the network was not trained on.

        Args:
            labels: True class of each image. ``[N]``
            probabilities: Class probabilities, calibrated or not. ``[N, C]``
            groups: Patient or lesion of each image; None where every image is a group of its own. ``[N]``
            level: The promised probability, between 0 and 1.
            score: ``lac``, ``aps`` or ``raps``.
            per_class: Whether to promise the level for each true class by itself; needs more groups.
            per_group: ``random`` or ``largest``: which score of a group (with ``per_class``: of its images of the class)
                stands for it.
            classes: C names; None = their numbers.
            penalty: Of ``raps``, per rank.
            free_ranks: Ranks without a penalty.
            seed: Of the random images; the same seed and groups give the same, whatever the order of the rows.

        Raises:
            DrifaError: An argument is not as described, or there are fewer groups (of a class) than the level needs.
        """
        truth, p, names = check_labelled(labels, probabilities, classes)
        case = check_groups(groups, len(truth))
        _refuse_choice("score", score, get_args(Score))
        _refuse_choice("per_group", per_group, get_args(PerGroup))
        if not (penalty >= 0 and math.isfinite(penalty) and free_ranks >= 0):
            raise DrifaError(f"penalty={penalty} and free_ranks={free_ranks} of score 'raps' must be 0 or more")
        least = least_groups(level)
        scores = class_scores(p, score, penalty, free_ranks)[np.arange(len(p)), truth]
        parts = [(truth == index, f"class {name!r} has") for index, name in enumerate(names)]
        thresholds, counts = [], []
        for part, who in parts if per_class else [(np.ones(len(p), dtype=bool), "there are")]:
            own = scores[part]
            lent = own[one_per_group(case[part], seed if per_group == "random" else None, own)]
            if len(lent) < least:
                raise DrifaError(
                    f"{who} {len(lent)} calibration groups, and sets at level {level:g} need at least {least}"
                    f"{' of each class' if per_class else ''}: add calibration data, or lower the level"
                    f"{', or do without per_class' if per_class else ''}"
                )
            thresholds.append(float(np.sort(lent)[_rank(len(lent), level) - 1]))
            counts.append(len(lent))
        return cls(
            classes=names,
            score=score,  # type: ignore[arg-type]  # both are checked above
            level=level,
            per_class=per_class,
            per_group=per_group,  # type: ignore[arg-type]
            penalty=float(penalty),
            free_ranks=free_ranks,
            thresholds=tuple(thresholds),
            groups=tuple(counts),
        )

    def __call__(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Which classes are in the set of each image, [N, C] -> bool [N, C].

        Raises:
            DrifaError: They are no probabilities, or of other classes.
        """
        p = check_probabilities(probabilities, self.classes)
        inside = class_scores(p, self.score, self.penalty, self.free_ranks) <= np.array(self.thresholds)
        if self.score != "lac":
            inside[np.arange(len(p)), p.argmax(axis=1)] = True
        return inside

    @property
    def never_empty(self) -> float:
        """The largest uncertainty, 1 - the largest probability, up to which no set is empty; infinite where none can be."""
        least = min(self.thresholds)
        return math.inf if self.score != "lac" or least >= 1 - 1 / len(self.classes) else least

    def coverage_band(self, share: float = 0.95) -> list[tuple[float, float]]:
        """Where the true coverage of these very sets lies, for each threshold: the fewer groups, the wider.

        The promise is a mean over calibration sets; what one of them gives follows a Beta distribution (for scores without
        ties; with ties, for sets that are never empty by ``aps``, and for ``largest``, the coverage can only lie higher).

        Args:
            share: Probability of the band.

        Returns:
            ``(low, high)`` per class, or one for all.
        """
        from scipy.stats import beta

        tails = [(1 - share) / 2, (1 + share) / 2]
        ranks = [(n, _rank(n, self.level)) for n in self.groups]
        return [(float(low), float(high)) for low, high in (beta.ppf(tails, k, n + 1 - k) for n, k in ranks)]


def least_groups(level: float) -> int:
    """The least number of calibration groups (of each class, with ``per_class``) with which a level can be promised.

    Args:
        level: The promised probability.

    Raises:
        DrifaError: It does not lie between 0 and 1.

    Examples:
        >>> least_groups(0.9), least_groups(0.95), least_groups(0.99)
        (9, 19, 99)
    """
    if not 0 < level < 1:
        raise DrifaError(f"level {level} of a prediction set must lie between 0 and 1, for example 0.9")
    n = max(1, math.floor(level / (1 - level)) - 1)
    while _rank(n, level) > n:
        n += 1
    return n


def class_scores(probabilities: Floats, score: str, penalty: float, free_ranks: int) -> Floats:
    """How unusual each class is for each image, see :class:`ConformalSets`; equal probabilities rank in the order of classes.

    Shape:
        probabilities [N, C] -> [N, C].
    """
    if score == "lac":
        return np.round(1 - probabilities, DIGITS)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    total = np.take_along_axis(probabilities, order, axis=1).cumsum(axis=1)
    if score == "raps":
        total = total + penalty * np.maximum(0, np.arange(1, probabilities.shape[1] + 1) - free_ranks)
    scores = np.empty_like(total)
    np.put_along_axis(scores, order, total, axis=1)
    return np.round(scores, DIGITS)


def _rank(groups: int, level: float) -> int:
    # 0.55 * 100 = 55.00000000000001 is 55, not 56.
    return math.ceil((groups + 1) * level - 1e-9)


def _refuse_choice(setting: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise DrifaError(f"{setting} {value!r} of a prediction set is not known{suggest(value, choices)}")
