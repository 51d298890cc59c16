"""A number for a whole subject: regression with a stated spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from drifa.config import Config
from drifa.data.targets import NumberTarget, Target
from drifa.links import LOG_VARIANCE
from drifa.metrics.regression import JudgedNumbers
from drifa.tasks.base import CaseWarning, SubjectKind, first, missing_where_none
from drifa.uncertainty.summary import NumberSummary, summarise_numbers

#: Loss -> the link that it needs.
LOSSES = {"gaussian_nll": "gaussian", "mse": "identity"}
#: A scatter of more points is a cloud, and heavy in a page.
MOST_POINTS = 500
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: A spread below this part of the training spread is no spread: its log loss would be rounding.
LEAST_SPREAD = 1e-6


@dataclass(frozen=True)
class NumberAnswer:
    """A number of a subject, in its unit.

    Attributes:
        value: The mean over the draws.
        unit: Of all the numbers here.
        std: How far off it may be, one standard deviation; None where nothing says so (MSE, a single draw).
        epistemic_std: The part on which the draws disagree; None for a single draw.
        aleatoric_std: The part that the network states itself; None for a network trained with MSE.
        partner_std: How far the value moves with the partner; None without partners.
        warnings: Those of the case that are about modalities of this task.
    """

    value: float
    unit: str
    std: float | None
    epistemic_std: float | None
    aleatoric_std: float | None
    partner_std: float | None
    warnings: tuple[CaseWarning, ...] = ()

    def row(self) -> dict[str, Any]:
        """As one row of a table."""
        return {key: value for key, value in vars(self).items() if key != "warnings"}

    def words(self) -> str:
        """As a person says it."""
        spread = "" if self.std is None else f" ± {self.std:.4g}"
        return f"{self.value:.4g}{spread} {self.unit}".rstrip()


@dataclass(frozen=True)
class Number(SubjectKind[NumberSummary]):
    """A value, or a value with its variance, learned on numbers standardised by the training split.

    Args:
        unit: Of the numbers.
        mean: Of the training split; also the answer of the floor.
        std: Of the training split, above 0.
        criterion: ``"gaussian_nll"``: the network states a variance with the value; or ``"mse"``: the value alone.

    References:
        Nix and Weigend, Estimating the mean and variance of the target probability distribution, ICNN 1994; Kendall and Gal,
        What uncertainties do we need in Bayesian deep learning for computer vision?, NeurIPS 2017.
    """

    name: ClassVar[str] = "number"
    alone: ClassVar[tuple[str, ...]] = ("mae",)
    partner_metric: ClassVar[str] = "partner_std"
    effect: ClassVar[str] = "partner_std"

    unit: str
    mean: float
    std: float
    criterion: str = "gaussian_nll"

    @classmethod
    def learn(cls, task: str, target: Target, values: np.ndarray, known: np.ndarray, config: Config) -> Self:
        """Mean and standard deviation of the training split."""
        assert isinstance(target, NumberTarget)
        numbers = values[known]
        mean, std = (float(numbers.mean()), float(numbers.std())) if len(numbers) else (0.0, 1.0)
        return cls(target.unit, mean, std or 1.0, config.train.number_loss)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what ``to_json`` gave."""
        return cls(value["unit"], value["mean"], value["std"], value["criterion"])

    @property
    def outputs(self) -> int:
        """Mean and log-variance, or the value alone."""
        return 2 if self.link == "gaussian" else 1

    @property
    def link(self) -> str:
        """``gaussian`` or ``identity``."""
        return LOSSES[self.criterion]

    def loss(self, outputs: Tensor, truth: Tensor, known: Tensor, share: Tensor | None = None) -> Tensor:
        """Of the standardised numbers."""
        losses = self._losses(outputs[known], truth[known])
        return losses.mean() if share is None else (share[known] * losses).sum() / share[known].sum()

    def sums(
        self, outputs: Tensor, truth: Tensor, known: Tensor, loss: Tensor | None = None, share: Tensor | None = None
    ) -> Tensor:
        """Losses, absolute errors, subjects; each by share where one is given."""
        outputs, truth = outputs.detach()[known], truth[known]
        counted = torch.ones_like(truth, dtype=torch.float64) if share is None else share[known].double()
        off = (outputs[:, 0].float() - self._standardised(truth)).abs()
        return torch.stack([(self._losses(outputs, truth) * counted).sum(), (off * counted).sum(), counted.sum()])

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Mean loss, and mean absolute error in the unit."""
        loss, off, count = sums.tolist()
        return {"loss": loss / count, "mae": off / count * self.std} if count else {}

    def summarise(self, draws: np.ndarray) -> NumberSummary:
        """See :func:`drifa.uncertainty.summary.summarise_numbers`; in the unit.

        Examples:
            Two draws of one subject, each a standardised value with its variance:

            >>> import numpy as np
            >>> kind = Number("years", mean=50.0, std=10.0)
            >>> summary = kind.summarise(np.array([[[0.0, 0.25]], [[1.0, 0.25]]]))
            >>> summary.value, summary.epistemic_std, summary.aleatoric_std
            (array([55.]), array([5.]), array([5.]))
        """
        values = draws[..., 0] * self.std + self.mean
        return summarise_numbers(values, draws[..., 1] * self.std**2 if draws.shape[-1] == 2 else None)

    def over_partners(self, draws: np.ndarray) -> np.ndarray:
        """Standard deviation of the value over the partners."""
        return np.asarray(draws[..., 0].std(axis=0) * self.std)

    def measured(self, summary: NumberSummary, truth: np.ndarray, known: np.ndarray) -> JudgedNumbers:
        """All metrics of numbers; those of the spread only where there is one."""
        return JudgedNumbers(truth[known], summary.value[known], self._spread(summary, known))

    def about(self, truth: np.ndarray) -> dict[str, Any]:
        """The unit, and the floor: how far off the mean of the training split is as the answer to everything."""
        off = np.abs(truth - self.mean)
        return {"unit": self.unit, "floor": {"mae": float(off.mean()), "rmse": float(np.sqrt((off**2).mean()))}}

    def details(self, summary: NumberSummary, truth: np.ndarray, known: np.ndarray) -> dict[str, Any]:
        """Points ``[truth, value, std]`` for a scatter, and which share of the truths lies within the stated range."""
        truth, value, std = truth[known], summary.value[known], self._spread(summary, known)
        shown = np.sort(np.random.default_rng(0).permutation(len(truth))[:MOST_POINTS])
        stated = [None] * len(truth) if std is None else std.tolist()
        return {
            "scatter": [[float(truth[i]), float(value[i]), stated[i]] for i in shown],
            "calibration": [] if std is None else [_covered(truth - value, std, level) for level in LEVELS],
        }

    def columns(
        self, summary: NumberSummary, truth: np.ndarray, known: np.ndarray, effect: np.ndarray | None
    ) -> dict[str, Any]:
        """Truth, value and the parts of the uncertainty, in the unit."""
        count = len(known)
        return {
            "truth": np.where(known, truth, np.nan),
            "value": summary.value,
            "std": missing_where_none(summary.std, count),
            "epistemic_std": missing_where_none(summary.epistemic_std, count),
            "aleatoric_std": missing_where_none(summary.aleatoric_std, count),
            "partner_std": missing_where_none(effect, count),
        }

    def judged_rows(self, rows: pd.DataFrame) -> JudgedNumbers:
        """All metrics of numbers; those of the spread only where there is one."""
        std = rows["std"].to_numpy(dtype=np.float64) if "std" in rows else np.array([np.nan])
        spread = None if np.isnan(std).all() else np.maximum(std, LEAST_SPREAD * self.std)
        return JudgedNumbers(rows["truth"].to_numpy(), rows["value"].to_numpy(), spread)

    def answer(self, summary: NumberSummary, effect: float | None) -> NumberAnswer:
        """The mean with the parts of its uncertainty."""
        spreads = (first(summary.std), first(summary.epistemic_std), first(summary.aleatoric_std))
        return NumberAnswer(float(summary.value[0]), self.unit, *spreads, effect)

    def _standardised(self, truth: Tensor) -> Tensor:
        return (truth.float() - self.mean) / self.std

    def _losses(self, outputs: Tensor, truth: Tensor) -> Tensor:
        """Of each subject: [n, k], [n] -> [n]."""
        outputs = outputs.float()
        squares = (outputs[:, 0] - self._standardised(truth)).square()
        if self.criterion == "mse":
            return squares
        log_variance = outputs[:, 1].clamp(*LOG_VARIANCE)
        return (log_variance + squares * (-log_variance).exp()) / 2

    def _spread(self, summary: NumberSummary, known: np.ndarray) -> np.ndarray | None:
        return None if summary.std is None else np.maximum(summary.std[known], LEAST_SPREAD * self.std)


def _covered(error: np.ndarray, std: np.ndarray, level: float) -> dict[str, float]:
    reach = NormalDist().inv_cdf((1 + level) / 2)
    return {"level": level, "coverage": float((np.abs(error) <= reach * std).mean())}
