"""The contract of a kind of task: what a network's outputs mean, how they are learned, summarised and judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import pandas as pd
from torch import Tensor

from drifa.config import Config
from drifa.data.targets import Reads, Target
from drifa.metrics.resampling import Measured


@dataclass(frozen=True)
class CaseWarning:
    """What should be looked at in a case, although it was answered.

    Attributes:
        modality: Whose image or values it is about.
        text: What is odd, in one sentence.
    """

    modality: str
    text: str


@dataclass(frozen=True)
class Kind(ABC):
    """The model's side of one task; the data's is its :class:`~drifa.data.targets.Target`. What it knows was learned from the
    training split and stands in the run.

    Attributes:
        name: Of the kind, as in `study.yaml`.
        reads: What is looked at: it picks the network, one that answers about subjects or one that answers about pixels.
    """

    name: ClassVar[str]
    reads: ClassVar[Reads]

    @classmethod
    @abstractmethod
    def learn(cls, task: str, target: Target, values: np.ndarray, known: np.ndarray, config: Config) -> Self:
        """The kind of a task.

        Args:
            task: Name of the task.
            target: Of the task.
            values: Those of the training split.
            known: Which of them are known.
            config: Of the run.
        """

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many numbers, or maps, the factory of the network is asked for."""

    def to_json(self) -> dict[str, Any]:
        """Plain data that :meth:`from_json` reads."""
        return {"kind": self.name, **asdict(self)}

    @classmethod
    @abstractmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` gave."""

    @abstractmethod
    def loss(self, outputs: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """The loss of a batch, in float32: a scalar, the mean over what is known. Something must be.

        Args:
            outputs: Of the network. ``[B, …]``
            truth: Values; they mean nothing where they are not known.
            known: bool ``[B]``.
        """

    @abstractmethod
    def sums(self, outputs: Tensor, truth: Tensor, known: Tensor, loss: Tensor | None = None) -> Tensor:
        """What :meth:`figures` needs of a batch, as numbers that add up over batches and processes. float64 ``[k]``

        Args:
            outputs: As in :meth:`loss`.
            truth: As in :meth:`loss`.
            known: As in :meth:`loss`.
            loss: The batch's loss where it has been taken already.
        """

    @abstractmethod
    def figures(self, sums: Tensor) -> dict[str, float]:
        """The figures of an epoch, ``loss`` first; empty where nothing was known. One of a part is named ``figure/part``."""


Summarised = TypeVar("Summarised")


class SubjectKind(Kind, Generic[Summarised]):
    """A kind that answers about a whole subject. All of these share one network and are judged alike.

    A *draw* is the network's answer under one dropout mask, for one partner or by one member: arrays ``[T, N, k]``.

    Attributes:
        alone: Metrics that are also told of a target without its partners, under NAME_alone.
        partner_metric: Name of the mean of :meth:`over_partners`.
        effect: Its name in a row of the predictions.
    """

    reads: ClassVar[Reads] = "subject"
    alone: ClassVar[tuple[str, ...]]
    partner_metric: ClassVar[str]
    effect: ClassVar[str]

    @abstractmethod
    def loss(self, outputs: Tensor, truth: Tensor, known: Tensor, share: Tensor | None = None) -> Tensor:
        """As in :meth:`Kind.loss`, a mean weighted by ``share``.

        Args:
            outputs: As in :meth:`Kind.loss`.
            truth: Likewise.
            known: Likewise.
            share: How much each row counts; None = all alike. float32 ``[B]``, above 0 where known.
        """

    @abstractmethod
    def sums(
        self, outputs: Tensor, truth: Tensor, known: Tensor, loss: Tensor | None = None, share: Tensor | None = None
    ) -> Tensor:
        """As in :meth:`Kind.sums`, with ``share`` as in :meth:`loss`."""

    @property
    @abstractmethod
    def link(self) -> str:
        """What the outputs mean, a key of :data:`drifa.links.LINKS`."""

    @abstractmethod
    def summarise(self, draws: np.ndarray) -> Summarised:
        """Many draws as one answer with its uncertainty (eq. 10 of the paper, for this kind)."""

    @abstractmethod
    def over_partners(self, draws: np.ndarray) -> np.ndarray:
        """How much the answer depends on the partner: ``[K, N, k] -> [N]``."""

    @abstractmethod
    def measured(self, summary: Summarised, truth: np.ndarray, known: np.ndarray) -> Measured:
        """The answers that can be judged, ready for any number of resamples."""

    @abstractmethod
    def about(self, truth: np.ndarray) -> dict[str, Any]:
        """What `evaluation.json` says of the task itself.

        Args:
            truth: Of the subjects judged.
        """

    @abstractmethod
    def details(self, summary: Summarised, truth: np.ndarray, known: np.ndarray) -> dict[str, Any]:
        """Tables and curves behind the metrics, as plain data."""

    @abstractmethod
    def columns(self, summary: Summarised, truth: np.ndarray, known: np.ndarray, effect: np.ndarray | None) -> dict[str, Any]:
        """The columns of `predictions.parquet` that belong to the kind, one entry per subject."""

    @abstractmethod
    def judged_rows(self, rows: pd.DataFrame) -> Measured:
        """What :meth:`measured` gives, from rows of `predictions.parquet` that hold :meth:`columns` and a known truth."""

    @abstractmethod
    def answer(self, summary: Summarised, effect: float | None) -> Any:
        """The answer for a single subject, a frozen record.

        Args:
            summary: Of one subject.
            effect: From :meth:`over_partners`; None without partners.
        """


def missing_where_none(values: np.ndarray | None, count: int) -> np.ndarray:
    """Values, or NaN for each of so many subjects."""
    return np.full(count, np.nan) if values is None else values


def first(values: np.ndarray | None) -> float | None:
    """Of a single subject."""
    return None if values is None else float(values[0])
