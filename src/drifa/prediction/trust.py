"""What a run has learned about its own answers: the content of `calibration.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from drifa.errors import DrifaError, short
from drifa.files import read_json
from drifa.metrics.weighted import Floats
from drifa.tasks.classes import ClassAnswer
from drifa.uncertainty.abstention import LAYS, Abstention, least_clean
from drifa.uncertainty.calibration import ClassCalibration, fit_calibration, read_calibration
from drifa.uncertainty.conformal import ConformalSets
from drifa.uncertainty.prior import PriorCorrection
from drifa.uncertainty.region_calibration import RegionTemperatures
from drifa.uncertainty.summary import entropy

FILE = "calibration.json"
FORMAT = 2
#: Least share of the cases that the strictest bar of an abstention keeps.
LEAST_KEPT = 0.25


@dataclass(frozen=True)
class TaskTrust:
    """Of one task of classes; called on probabilities, it gives calibrated ones.

    Attributes:
        prior: Undoes the class weights of the training; None where there were none.
        calibration: None where it could not be fitted.
        sets: None where they could not be fitted.
        abstention: None where no bar can promise the risk.
        notes: Why something could not be fitted, or less strictly.
    """

    prior: PriorCorrection | None
    calibration: ClassCalibration | None
    sets: ConformalSets | None
    abstention: Abstention | None = None
    notes: tuple[str, ...] = ()

    def __call__(self, probabilities: Floats) -> Floats:
        """``[N, C] -> [N, C]``, sums of 1."""
        for step in (self.prior, self.calibration):
            probabilities = probabilities if step is None else step(probabilities)
        return probabilities

    def answered(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Which cases get an answer, of probabilities that it gave: under the bar, with a set that holds a class.

        Shape:
            probabilities [N, C] -> bool [N]; all False where no bar was learned.
        """
        if self.abstention is None:
            return np.zeros(len(probabilities), dtype=bool)
        kept = self.abstention(doubt_of(probabilities))
        return kept if self.sets is None else kept & self.sets(probabilities).any(axis=1)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        names = ("prior", "calibration", "sets", "abstention")
        steps = {name: getattr(self, name) for name in names}
        return {name: None if step is None else step.to_json() for name, step in steps.items()} | {"notes": list(self.notes)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], place: str) -> Self:
        """Reads what :meth:`to_json` gave.

        Raises:
            DrifaError: It is not that.
        """

        def read(name: str, reader: Any) -> Any:
            return None if value.get(name) is None else reader(value[name], f"{place}: {name}")

        return cls(
            read("prior", PriorCorrection.from_json),
            read("calibration", read_calibration),
            read("sets", ConformalSets.from_json),
            read("abstention", Abstention.from_json),
            tuple(map(str, value.get("notes", ()))),
        )


@dataclass(frozen=True)
class Trust:
    """Of a run.

    Attributes:
        mode: How the networks were asked, see :data:`drifa.uncertainty.modes.MODES`; it holds for no other.
        members: Number of networks that were asked.
        tasks: Task of classes -> its own.
        regions: Task of regions -> the temperatures of its voxels.
        subsets: Modalities that are there where others are missing, as ``photo+ultrasound`` -> task of classes -> its own.
    """

    mode: str
    members: int
    tasks: Mapping[str, TaskTrust]
    subsets: Mapping[str, Mapping[str, TaskTrust]] = field(default_factory=dict)
    regions: Mapping[str, RegionTemperatures] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data; the format number comes first."""

        def plain(records: Mapping[str, Any]) -> dict[str, Any]:
            return {name: record.to_json() for name, record in records.items()}

        head = {"drifa_calibration": FORMAT, "mode": self.mode, "members": self.members, "tasks": plain(self.tasks)}
        subsets = {name: plain(tasks) for name, tasks in self.subsets.items()}
        return {**head, "subsets": subsets, "regions": plain(self.regions)}

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """That of a run folder; None where nobody has calibrated it.

        Raises:
            DrifaError: The file is damaged or of another format.
        """
        path = folder / FILE
        value = read_json(path)
        if value is None:
            return None
        remedy = f"run `drifa calibrate {folder}` again"
        if value.get("drifa_calibration") != FORMAT:
            raise DrifaError(f"{path} has format {value.get('drifa_calibration')!r}; this drifa reads {FORMAT}: {remedy}")
        subsets, regions = value.get("subsets", {}), value.get("regions", {})
        for name, part in (("subsets", subsets), ("regions", regions)):
            if not isinstance(part, dict):
                raise DrifaError(f"{path}: {name} = {short(part)} is no mapping: {remedy}")

        def learned(tasks: object, place: str) -> dict[str, TaskTrust]:
            if not isinstance(tasks, dict) or not all(isinstance(task, dict) for task in tasks.values()):
                raise DrifaError(f"{place} says nothing of tasks: {remedy}")
            return {name: TaskTrust.from_json(task, f"{place}: {name}") for name, task in tasks.items()}

        return cls(
            str(value.get("mode")),
            int(value.get("members") or 0),
            learned(value.get("tasks"), str(path)),
            {name: learned(tasks, f"{path}: {short(name)}") for name, tasks in subsets.items()},
            {name: RegionTemperatures.from_json(one, f"{path}: {short(name)}") for name, one in regions.items()},
        )

    def of(self, task: str, subset: Sequence[str] | None = None) -> TaskTrust | None:
        """What was learned of a task; None for nothing.

        Args:
            task: Its name.
            subset: The modalities that are there, in the run's order, where others are missing.
        """
        return (self.tasks if subset is None else self.subsets.get("+".join(subset), {})).get(task)

    def fits(self, mode: str, members: int) -> bool:
        """Whether it was fitted on answers that came about like these."""
        return (self.mode, self.members) == (mode, members)


def learn_trust(
    labels: NDArray[np.int64],
    probabilities: Floats,
    groups: Sequence[object] | NDArray[Any],
    classes: Sequence[str],
    prior: PriorCorrection | None = None,
    method: str = "temperature",
    level: float = 0.9,
    score: str = "lac",
    risk: float = 0.1,
    confidence: float = 0.9,
    seed: int = 0,
) -> TaskTrust:
    """Learns from validation images what the probabilities of a task mean, which classes to name, and when to say nothing.

    One half of the groups calibrates; the other half lays the threshold of the sets and the bar of the abstention, whose
    promises need groups that the calibration has not met. Where a half is too small for its part, all groups do all of it, and
    a note says so.

    Args:
        labels: True class of each validation image. ``[N]``
        probabilities: Averaged over members and passes. ``[N, C]``
        groups: Patient or lesion of each image. ``[N]``
        classes: C names.
        prior: Comes first, see :class:`drifa.uncertainty.prior.PriorCorrection`.
        method: A key of :data:`drifa.uncertainty.calibration.CALIBRATIONS`.
        level: Promised probability that a set holds the truth.
        score: Of the sets, see :class:`drifa.uncertainty.conformal.ConformalSets`.
        risk: The largest share of wrong answers among those given.
        confidence: Probability that the risk is kept.
        seed: Of the halves and of the image that stands for a group.

    Raises:
        DrifaError: The risk or its confidence is no probability.
    """
    clean = least_clean(risk, confidence)
    p = probabilities if prior is None else prior(probabilities)
    names = np.array([str(group) for group in groups])
    own = np.unique(names)
    first = np.isin(names, np.random.default_rng(seed).permutation(own)[: len(own) // 2])
    everyone = np.ones(len(names), dtype=bool)

    def calibrated(part: NDArray[np.bool_]) -> ClassCalibration:
        return fit_calibration(labels[part], p[part], method, classes, names[part])

    def with_sets(part: NDArray[np.bool_], q: Floats) -> ConformalSets:
        return ConformalSets.fit(labels[part], q[part], names[part], level, score, classes=classes, seed=seed)

    def with_bar(part: NDArray[np.bool_], q: Floats) -> Abstention:
        count = len(np.unique(names[part]))
        counted = count - count // LAYS
        # Known before any answer is looked at: fewer kept cases than this could promise nothing, even without an error.
        least = min(1.0, max(LEAST_KEPT, 1.25 * clean / max(counted, 1)))
        wrong = q[part].argmax(axis=1) != labels[part]
        # An empty set gets no answer either, which could raise the share of wrong ones: so the bar lies where no set is empty.
        most = math.inf if sets is None else sets.never_empty
        return Abstention.fit(doubt_of(q[part]), wrong, names[part], risk, confidence, least, seed, most)

    notes: list[str] = []
    found: ClassCalibration | None = None
    sets: ConformalSets | None = None
    abstention: Abstention | None = None
    part = ~first
    try:
        found = calibrated(first)
        sets = with_sets(part, found(p))
    except DrifaError:
        part, found = everyone, None
        try:
            found = calibrated(part)
        except DrifaError as error:
            notes.append(f"no calibration: {error}")
        try:
            sets = with_sets(part, p if found is None else found(p))
        except DrifaError as error:
            notes.append(f"no prediction sets: {error}")
    try:
        abstention = with_bar(part, p if found is None else found(p))
    except DrifaError as error:
        notes.append(f"no bar for abstention: {error}")
    if found is not None and part is everyone and (sets is not None or abstention is not None):
        notes.append(
            "sets and bar were fitted on the images that the calibration was fitted on: their promises are approximate"
        )
    return TaskTrust(prior, found, sets, abstention, tuple(notes))


def doubt_of(probabilities: Floats) -> Floats:
    """1 - the largest probability, which the bar of an abstention is laid on: ``[N, C] -> [N]``."""
    return np.asarray(1 - probabilities.max(axis=1))


def trusted(answer: ClassAnswer, trust: TaskTrust) -> ClassAnswer:
    """An answer with calibrated probabilities and their entropy, the raw ones beside them, and its prediction set."""
    p = trust(np.array([list(answer.probabilities.values())]))
    probabilities = {name: float(value) for name, value in zip(answer.probabilities, p[0], strict=True)}
    best = max(probabilities, key=probabilities.__getitem__)
    named = None
    if trust.sets is not None:
        named = tuple(name for name, inside in zip(probabilities, trust.sets(p)[0], strict=True) if inside)
    return replace(
        answer,
        predicted=best,
        confidence=probabilities[best],
        probabilities=probabilities,
        predictive_entropy=float(entropy(p)[0]),
        raw_probabilities=answer.probabilities,
        raw_predictive_entropy=answer.predictive_entropy,
        prediction_set=named,
    )
