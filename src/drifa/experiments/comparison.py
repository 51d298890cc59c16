"""What a comparison says: the content of `comparison.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from drifa.config.reading import checked
from drifa.errors import DrifaError

FORMAT = 1


@dataclass(frozen=True)
class Arm:
    """One arm and what it costs.

    Attributes:
        name: Its name.
        sets: What it sets, as ``section.key=value``.
        seeds: Those of which all networks are done.
        parameters: Weights of one network; None before one is done.
        macs: Multiply-accumulates of one subject; None before, or where they cannot be counted.
        seconds: Of training, the mean over networks; None before.
        memory: Most memory that the training of a network held, bytes; see :class:`drifa.experiments.jobs.JobRecord`.
    """

    name: str
    sets: list[str]
    seeds: list[int]
    parameters: int | None
    macs: int | None
    seconds: float | None
    memory: int | None = None


@dataclass(frozen=True)
class Judged:
    """A task of the test set.

    Attributes:
        kind: Of answer.
        cases: Number of subjects.
        groups: Of groups, which the bootstrap draws.
        unit: Of numbers; empty for other kinds.
    """

    kind: str
    cases: int
    groups: int
    unit: str


@dataclass(frozen=True)
class Result:
    """One metric of one arm.

    Attributes:
        arm, task, metric: Which.
        by_seed: Seed -> value; None where undefined.
        mean: Over seeds.
        low, high: Its 95 % interval.
        over: What the interval is over: ``seeds`` (Student t) or ``groups`` of the test set (bootstrap).
    """

    arm: str
    task: str
    metric: str
    by_seed: dict[str, float | None]
    mean: float | None
    low: float | None
    high: float | None
    over: str


@dataclass(frozen=True)
class SubsetResult:
    """One metric of one arm, asked with a subset of the modalities.

    Attributes:
        arm, task, metric: Which.
        subset: Names of the modalities, as ``photo+ultrasound``.
        by_seed: Seed -> value; None where undefined.
        mean: Over seeds.
        low, high: Its 95 % interval over seeds (Student t); None with fewer than three.
    """

    arm: str
    task: str
    metric: str
    subset: str
    by_seed: dict[str, float | None]
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Contrast:
    """Arm a minus arm b on one metric, on the same cases and seeds.

    Attributes:
        a, b, metric: Which.
        tasks: The task, or those over which the metric is averaged.
        primary: Whether it was decided beforehand; only the others are adjusted for their number.
        seeds: Those that both arms have.
        by_seed: Seed -> difference.
        difference: ``value``, the mean over seeds, and the rest of :class:`drifa.metrics.differences.Difference`.
        adjusted: p after Holm's adjustment, over all that are not primary; None for the primary one.
        found: ``a`` or ``b`` where that arm is told to be better, ``higher`` or ``lower`` where the metric has no better side,
            else ``nothing``.
        verdict: The same in a sentence.
    """

    a: str
    b: str
    tasks: list[str]
    metric: str
    primary: bool
    seeds: list[int]
    by_seed: dict[str, float | None]
    difference: dict[str, float | None]
    adjusted: float | None
    found: str
    verdict: str


@dataclass(frozen=True)
class ClassResult:
    """How much of one class an arm finds.

    Attributes:
        task, name: Which class.
        cases: Of that class.
        arm: Which arm.
        value: The share of them that it answers with their class (sensitivity), the mean over its seeds.
        difference: The first arm minus this one, over the seeds that both have, as in
            :class:`drifa.metrics.differences.Difference`, not adjusted for the number of classes; None for the first arm.
    """

    task: str
    name: str
    cases: int
    arm: str
    value: float
    difference: dict[str, float | None] | None


@dataclass(frozen=True)
class Case:
    """A case on which the arms disagree.

    Attributes:
        task, subject: Which.
        truth: As text.
        answers: Arm -> its answer, over seeds, as text.
        spread: How far apart the arms are: in probability of the truth, in the unit of numbers, or in Dice.
    """

    task: str
    subject: str
    truth: str
    answers: dict[str, str]
    spread: float


@dataclass(frozen=True)
class JobState:
    """How far a job is: ``finished``, ``failed`` for a reason, ``claimed`` by another process, or ``open``."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """All that the finished jobs of an experiment say.

    Attributes:
        name: Of the experiment.
        drifa: Version.
        study: Its name.
        splits: Fold -> sha256 of the split's receipt; the fold ``None`` where there are none.
        seeds: Asked for.
        folds: Number of folds; 0 for a single split.
        resamples: Of the bootstrap.
        verdict: The primary comparison in a sentence.
        notes: What a reader must know beside it.
        arms, tasks, results, contrasts, cases, jobs: The records.
        curves: Job -> rows of its history: ``epoch``, ``train_loss``, ``val_loss``.
        subsets: What each arm answers from every subset of the modalities, where the experiment asks.
        classes: What each arm finds of every class.
    """

    name: str
    drifa: str
    study: str
    splits: dict[str, str]
    seeds: list[int]
    folds: int
    resamples: int
    verdict: str
    notes: list[str]
    arms: list[Arm]
    tasks: dict[str, Judged]
    results: list[Result]
    contrasts: list[Contrast]
    cases: list[Case]
    jobs: list[JobState]
    curves: dict[str, list[dict[str, float | None]]]
    subsets: list[SubsetResult] = field(default_factory=list)
    classes: list[ClassResult] = field(default_factory=list)

    @property
    def primary(self) -> Contrast | None:
        """The comparison that counts; None before both arms have a network of the same seed."""
        return next((contrast for contrast in self.contrasts if contrast.primary), None)

    def to_json(self) -> dict[str, Any]:
        """Plain data; the format number comes first."""
        return {"drifa_comparison": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], place: str = "comparison.json") -> Self:
        """Reads what :meth:`to_json` gave.

        Raises:
            DrifaError: Another format wrote it, or something in it is not as it was written.
        """
        if value.get("drifa_comparison") != FORMAT:
            raise DrifaError(
                f"{place} has comparison format {value.get('drifa_comparison')!r}, and this drifa reads {FORMAT}: run `drifa "
                f"compare` again"
            )
        return checked(cls, {key: part for key, part in value.items() if key != "drifa_comparison"}, place)
