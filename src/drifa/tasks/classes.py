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
from drifa.tasks.base import CaseWarning, SubjectKind, first, missing_where_none
from drifa.uncertainty.summary import Summary, summarise

#: What cross-entropy leaves out.
_IGNORED = -1


@dataclass(frozen=True)
class Abstain:
    """Whether an answer is one to act on.

    Attributes:
        refer: A person must look: the answer does not count.
        reason: The rule that decided.
    """

    refer: bool
    reason: str


@dataclass(frozen=True)
class ClassAnswer:
    """One class of a subject.

    Attributes:
        predicted: The class.
        confidence: Its probability.
        probabilities: Class -> probability.
        predictive_entropy: Of these probabilities: all uncertainty, nats.
        mutual_information: The part on which the draws disagree, nats; None for a single draw.
        std: Standard deviation over the draws of the probability of the predicted class; None for a single draw.
        flip_rate: Share of the partners with which the answer is another; None without partners.
        raw_probabilities: Before calibration; None in a run that is not calibrated.
        raw_predictive_entropy: Of those, of which the mutual information is a part; None as before.
        prediction_set: The classes of which one is the truth with the promised probability; None without one.
        abstain: Whether to show a person instead; None where nothing was learned that could tell.
        verdict: ``sure``, ``unsure: show a person`` or ``not my kind of image``, and the rule that decided; None as before.
        disagree: Number of networks whose own answer is another class; None of a single network.
        members: Number of networks; None of a single one.
        warnings: Those of the case that are about modalities of this task.
    """

    predicted: str
    confidence: float
    probabilities: Mapping[str, float]
    predictive_entropy: float
    mutual_information: float | None
    std: float | None
    flip_rate: float | None
    raw_probabilities: Mapping[str, float] | None = None
    raw_predictive_entropy: float | None = None
    prediction_set: tuple[str, ...] | None = None
    abstain: Abstain | None = None
    verdict: str | None = None
    disagree: int | None = None
    members: int | None = None
    warnings: tuple[CaseWarning, ...] = ()

    @property
    def agreement(self) -> str | None:
        """How many networks name another class, as a person says it; None of a single network."""
        if self.members is None:
            return None
        if not self.disagree:
            return f"all {self.members} networks agree"
        return f"{self.disagree} of {self.members} networks disagree{'s' if self.disagree == 1 else ''}"

    @property
    def uncertainty(self) -> dict[str, float | None]:
        """All its measures by name, with the entropy also as a share of the largest one possible."""
        return {
            "entropy": self.predictive_entropy,
            "entropy_share": self.entropy_share,
            "mutual_information": self.mutual_information,
            "std": self.std,
            "flip_rate": self.flip_rate,
        }

    @property
    def entropy_share(self) -> float:
        """Of the entropy of all classes alike: 0 = certain, 1 = no idea."""
        return self.predictive_entropy / float(np.log(max(len(self.probabilities), 2)))

    def row(self) -> dict[str, Any]:
        """As one row of a table."""
        own = ("probabilities", "prediction_set", "abstain", "verdict", "warnings")
        rest = {key: value for key, value in vars(self).items() if key not in own and not key.startswith("raw_")}
        if self.prediction_set is not None:
            rest["prediction_set"] = " | ".join(self.prediction_set)
        if self.abstain is not None:
            rest |= vars(self.abstain)
        return {**rest, **{f"p({name})": p for name, p in self.probabilities.items()}}

    def words(self) -> str:
        """As a person says it."""
        named = "" if self.prediction_set is None else f"  one of {{{', '.join(self.prediction_set)}}}"
        doubt = f"entropy {self.predictive_entropy:.3f} nats, {self.entropy_share:.0%} of the most"
        doubt += "" if self.agreement is None else f", {self.agreement}"
        verdict = "" if self.verdict is None else f"  {self.verdict}"
        return f"{self.predicted}  confidence {self.confidence:.3f}  {doubt}{named}{verdict}"


@dataclass(frozen=True)
class Classes(SubjectKind[Summary]):
    """Softmax, cross-entropy, the mean of the probabilities over the draws.

    Args:
        classes: Label texts, in the order of the outputs.
        weights: Of each class in the loss; empty for none.
        smoothing: Share of the truth's probability that goes to all classes in training.
    """

    name: ClassVar[str] = "classes"
    alone: ClassVar[tuple[str, ...]] = ("accuracy", "balanced_accuracy")
    partner_metric: ClassVar[str] = "partner_flip_rate"
    effect: ClassVar[str] = "flip_rate"
    link: ClassVar[str] = "softmax"

    classes: tuple[str, ...]
    weights: tuple[float, ...] = ()
    smoothing: float = 0.0

    @classmethod
    def learn(cls, task: str, target: Target, values: np.ndarray, known: np.ndarray, config: Config) -> Self:
        """The classes are those of the study, their weights those of its training split."""
        chosen = config.train.class_weights
        rule = chosen if isinstance(chosen, str) else chosen.get(task, "none")
        counts = np.bincount(values[known], minlength=len(target.names))
        return cls(target.names, class_weights(counts, rule), config.train.label_smoothing)

    def to_json(self) -> dict[str, Any]:
        """Plain data; what was left at its default is left out."""
        plain = {"kind": self.name, "classes": list(self.classes)}
        trained = {"weights": list(self.weights), "smoothing": self.smoothing}
        return plain | {key: value for key, value in trained.items() if value}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` gave."""
        return cls(tuple(value["classes"]), tuple(value.get("weights", ())), value.get("smoothing", 0.0))

    @property
    def outputs(self) -> int:
        """One per class."""
        return len(self.classes)

    def loss(self, outputs: Tensor, truth: Tensor, known: Tensor, share: Tensor | None = None) -> Tensor:
        """Cross-entropy, its mean weighted by class, and by share where one is given; with smoothing."""
        labels, weights = truth.masked_fill(~known, _IGNORED), self._weights(outputs)
        losses = F.cross_entropy(
            outputs.float(),
            labels,
            weight=weights,
            ignore_index=_IGNORED,
            label_smoothing=self.smoothing,
            reduction="mean" if share is None else "none",
        )
        if share is None:
            return losses
        counted = share * known if weights is None else share * known * weights[truth.masked_fill(~known, 0)]
        return (share * losses).sum() / counted.sum()

    def sums(
        self, outputs: Tensor, truth: Tensor, known: Tensor, loss: Tensor | None = None, share: Tensor | None = None
    ) -> Tensor:
        """Weighted cross-entropies without smoothing, hits, subjects, weights; each by share where one is given."""
        value, truth = outputs.detach().float(), truth.masked_fill(~known, 0)
        weights, counted = self._weights(value), known.double() if share is None else known * share.double()
        losses = F.cross_entropy(value, truth, weight=weights, reduction="none")
        hits = value.argmax(1) == truth
        total = counted if weights is None else counted * weights[truth]
        return torch.stack([(losses * counted).sum(), (hits * counted).sum(), counted.sum(), total.sum()])

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Mean cross-entropy (weighted as in training) and accuracy (not weighted)."""
        loss, hits, count, total = sums.tolist()
        return {"loss": loss / total, "accuracy": hits / count} if count else {}

    def _weights(self, like: Tensor) -> Tensor | None:
        return torch.tensor(self.weights, device=like.device) if self.weights else None

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

    def judged_rows(self, rows: pd.DataFrame) -> Judged:
        """All metrics of classes."""
        number = {name: place for place, name in enumerate(self.classes)}
        probabilities = np.stack(list(rows["probabilities"]))
        return Judged(rows["label"].map(number).to_numpy(), probabilities, rows["predictive_entropy"].to_numpy())

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


def class_weights(counts: np.ndarray, rule: str) -> tuple[float, ...]:
    """Weights of the classes in the loss, such that the mean over all subjects is 1; empty for the rule ``none``.

    Args:
        counts: Training subjects of each class.
        rule: ``none``, ``balanced`` (one over the count) or ``sqrt`` (one over its root).
    """
    if rule == "none" or not counts.any():
        return ()
    # A class without subjects weighs nothing; a training split that lacks one is refused elsewhere.
    weights = np.where(counts > 0, np.maximum(counts, 1.0) ** (-0.5 if rule == "sqrt" else -1.0), 0.0)
    return tuple((weights * counts.sum() / (weights * counts).sum()).tolist())
