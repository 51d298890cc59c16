"""One class of several for a whole subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from drifa.config import Config
from drifa.data.targets import Target
from drifa.metrics.classification import Judged, confusion_matrix, per_class
from drifa.metrics.curves import reliability, risk_coverage
from drifa.tasks.base import SubjectKind, first, missing_where_none
from drifa.uncertainty.summary import Summary, summarise

#: What cross-entropy leaves out.
_IGNORED = -1


@dataclass(frozen=True)
class ClassAnswer:
    """One class of a subject.

    Attributes:
        predicted: The class.
        confidence: Its probability.
        probabilities: Class -> probability.
        predictive_entropy: All uncertainty, nats.
        mutual_information: The part on which the draws disagree, nats; None for a single draw.
        std: Standard deviation over the draws of the probability of the predicted class; None for a single draw.
        flip_rate: Share of the partners with which the answer is another; None without partners.
    """

    predicted: str
    confidence: float
    probabilities: Mapping[str, float]
    predictive_entropy: float
    mutual_information: float | None
    std: float | None
    flip_rate: float | None

    def row(self) -> dict[str, Any]:
        """As one row of a table."""
        rest = {key: value for key, value in vars(self).items() if key != "probabilities"}
        return {**rest, **{f"p({name})": p for name, p in self.probabilities.items()}}

    def words(self) -> str:
        """As a person says it."""
        return f"{self.predicted}  confidence {self.confidence:.3f}  entropy {self.predictive_entropy:.3f} nats"


@dataclass(frozen=True)
class Classes(SubjectKind[Summary]):
    """Softmax, cross-entropy, the mean of the probabilities over the draws.

    Args:
        classes: Label texts, in the order of the outputs.
    """

    name: ClassVar[str] = "classes"
    alone: ClassVar[tuple[str, ...]] = ("accuracy", "balanced_accuracy")
    partner_metric: ClassVar[str] = "partner_flip_rate"
    effect: ClassVar[str] = "flip_rate"
    link: ClassVar[str] = "softmax"

    classes: tuple[str, ...]

    @classmethod
    def learn(cls, target: Target, values: np.ndarray, known: np.ndarray, config: Config) -> Self:
        """The classes are those of the study."""
        return cls(target.names)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what ``to_json`` gave."""
        return cls(tuple(value["classes"]))

    @property
    def outputs(self) -> int:
        """One per class."""
        return len(self.classes)

    def loss(self, outputs: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """Cross-entropy."""
        return F.cross_entropy(outputs.float(), truth.masked_fill(~known, _IGNORED), ignore_index=_IGNORED)

    def sums(self, outputs: Tensor, truth: Tensor, known: Tensor, loss: Tensor | None = None) -> Tensor:
        """Cross-entropies, hits, subjects."""
        value = outputs.detach().float()
        losses = F.cross_entropy(value, truth.masked_fill(~known, 0), reduction="none")
        hits = (value.argmax(1) == truth) & known
        return torch.stack([(losses * known).sum(), hits.sum(), known.sum()]).double()

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Mean cross-entropy and accuracy."""
        loss, hits, count = sums.tolist()
        return {"loss": loss / count, "accuracy": hits / count} if count else {}

    def summarise(self, draws: np.ndarray) -> Summary:
        """See :func:`drifa.uncertainty.summary.summarise`."""
        return summarise(draws)

    def over_partners(self, draws: np.ndarray) -> np.ndarray:
        """Share of the partners with which the predicted class differs from that of their average."""
        flips = draws.argmax(axis=2) != draws.mean(axis=0).argmax(axis=1)
        return np.asarray(flips.mean(axis=0))

    def measured(self, summary: Summary, truth: np.ndarray, known: np.ndarray) -> Judged:
        """All metrics of classes."""
        return Judged(truth[known], summary.probabilities[known], summary.predictive_entropy[known])

    def about(self, truth: np.ndarray) -> dict[str, Any]:
        """The classes."""
        return {"classes": list(self.classes)}

    def details(self, summary: Summary, truth: np.ndarray, known: np.ndarray) -> dict[str, Any]:
        """The table per class, confusion counts, calibration and coverage curves."""
        labels, probabilities = truth[known], summary.probabilities[known]
        return {
            "per_class": per_class(labels, probabilities, self.classes),
            "confusion": confusion_matrix(labels, summary.predicted[known], len(self.classes)).tolist(),
            "reliability": reliability(labels, probabilities),
            "risk_coverage": risk_coverage(labels, probabilities, summary.predictive_entropy[known]),
        }

    def columns(self, summary: Summary, truth: np.ndarray, known: np.ndarray, effect: np.ndarray | None) -> dict[str, Any]:
        """Label and prediction by name, probabilities, uncertainty."""
        names, predicted = np.array(self.classes, dtype=object), summary.predicted
        return {
            "label": np.where(known, names[np.where(known, truth, 0)], np.array(None, dtype=object)),
            "predicted": names[predicted],
            "correct": pd.Series(predicted == truth, dtype="boolean").mask(~known),
            "confidence": summary.probabilities.max(axis=1),
            "probabilities": list(summary.probabilities),
            "predictive_entropy": summary.predictive_entropy,
            "mutual_information": missing_where_none(summary.mutual_information, len(known)),
            "std": missing_where_none(summary.std, len(known)),
            "flip_rate": missing_where_none(effect, len(known)),
        }

    def answer(self, summary: Summary, effect: float | None) -> ClassAnswer:
        """The most probable class."""
        probabilities = summary.probabilities[0]
        return ClassAnswer(
            predicted=self.classes[int(summary.predicted[0])],
            confidence=float(probabilities.max()),
            probabilities={name: float(p) for name, p in zip(self.classes, probabilities, strict=True)},
            predictive_entropy=float(summary.predictive_entropy[0]),
            mutual_information=first(summary.mutual_information),
            std=first(summary.std),
            flip_rate=effect,
        )
