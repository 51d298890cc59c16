"""From the answers of finished jobs to a comparison: intervals, paired differences, and what may be said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np

from drifa.errors import DrifaError
from drifa.experiments.answers import Answers, MeanOverTasks, read_answers
from drifa.experiments.by_class import class_results
from drifa.experiments.comparison import Arm, Comparison, Contrast, JobState, Judged, Result
from drifa.experiments.disagree import disagreements
from drifa.experiments.experiment import LEAST_SEEDS
from drifa.experiments.jobs import JobRecord, Outcome, finished, run_folder
from drifa.experiments.plan import Plan
from drifa.experiments.subsets import asked_subsets
from drifa.experiments.telling import floored, telling_groups
from drifa.experiments.verdict import judge
from drifa.metrics.differences import Difference, holm, paired
from drifa.metrics.intervals import bootstrap_draws, percentile_interval, seed_interval
from drifa.metrics.resampling import Measured
from drifa.metrics.weighted import Floats, mean_defined
from drifa.runs.files import read_run
from drifa.version import __version__

#: Metric -> value and draws, of one network, or of one per fold together.
Drawn = dict[str, tuple[float, Floats]]
#: Resamples per difference that is adjusted for: the smallest p that so many can give still passes after Holm's adjustment.
PER_DIFFERENCE = 40


@dataclass(frozen=True)
class _Done:
    """What is there to compare: arm -> seed -> answers by task, and the records of the jobs behind them."""

    answers: Mapping[str, Mapping[int, Mapping[str, Answers]]]
    records: Mapping[str, Sequence[JobRecord]]


def compare(plan: Plan, folder: Path, outcomes: Sequence[Outcome] = ()) -> Comparison:
    """Judges all finished jobs on the same cases.

    Args:
        plan: The experiment.
        folder: Its folder.
        outcomes: How the jobs of this time ended, for those that are not finished.

    Raises:
        DrifaError: No job is finished, arms judged different cases, or a file was changed since.
    """
    done = _done(plan, folder)
    if not any(done.records.values()):
        raise DrifaError(f"no job of {folder} is finished yet, so there is nothing to compare; see the reasons above")
    tasks = _judged(plan, done.answers)
    pairs = _pairs(plan, done.answers)
    resamples = max(plan.experiment.resamples, PER_DIFFERENCE * len(pairs))
    drawn = _Draws(done.answers, resamples)
    results = [
        _result(plan, drawn, arm, task, metric)
        for task, about in plan.tasks.items()
        for metric in about.chosen
        for arm, seeds in done.answers.items()
        if any(task in answers for answers in seeds.values())
    ]
    contrasts = _contrasts(plan, drawn, pairs, tasks)
    primary = next((contrast for contrast in contrasts if contrast.primary), None)
    a, b = plan.primary.a, plan.primary.b
    return Comparison(
        name=plan.name,
        drifa=__version__,
        study=plan.study,
        splits={str(job.fold): job.split for job in plan.jobs if job.arm == plan.jobs[0].arm},
        seeds=list(plan.experiment.seeds),
        folds=plan.experiment.folds,
        resamples=resamples,
        verdict=primary.verdict if primary else f"Nothing can be said yet: {a} and {b} have no network of the same seed.",
        notes=_notes(plan, done, results),
        arms=[_arm(plan, done, name) for name in plan.told],
        tasks=tasks,
        results=results,
        contrasts=contrasts,
        cases=disagreements({arm: list(seeds.values()) for arm, seeds in done.answers.items() if seeds}),
        jobs=_states(plan, folder, outcomes),
        curves=_curves(plan, folder),
        subsets=asked_subsets(plan, folder),
        classes=class_results(done.answers, resamples),
    )


def _done(plan: Plan, folder: Path) -> _Done:
    answers: dict[str, dict[int, Mapping[str, Answers]]] = {}
    records: dict[str, list[JobRecord]] = {}
    for arm in plan.told:
        answers[arm], records[arm] = {}, []
        for seed in plan.experiment.seeds:
            jobs = [job for job in plan.jobs if (job.arm, job.seed) == (arm, seed)]
            found = [record for job in jobs if (record := finished(folder, job)) is not None]
            records[arm] += found
            if len(found) == len(jobs):
                answers[arm][seed] = read_answers([run_folder(folder, job.name) for job in jobs])
    return _Done(answers, records)


def _judged(plan: Plan, answers: Mapping[str, Mapping[int, Mapping[str, Answers]]]) -> dict[str, Judged]:
    """The tasks, once it is sure that all networks judged the same cases."""
    found: dict[str, Judged] = {}
    first: dict[str, tuple[str, Answers]] = {}
    for arm, seeds in answers.items():
        for seed, by_task in seeds.items():
            for task, own in by_task.items():
                who, other = first.setdefault(task, (f"{arm}, seed {seed}", own))
                if not (np.array_equal(own.cases, other.cases) and np.array_equal(own.groups, other.groups)):
                    raise DrifaError(
                        f"{who} and {arm}, seed {seed} judged different cases of task {task!r} ({len(other.cases)} and "
                        f"{len(own.cases)}); give all arms the same study and split in a new --out"
                    )
    for task, (_, own) in first.items():
        found[task] = Judged(plan.tasks[task].kind, len(own.cases), len(np.unique(own.groups)), own.unit)
    return found


class _Draws:
    """The bootstrap of every network, made when it is first asked for; the same resamples for all."""

    def __init__(self, answers: Mapping[str, Mapping[int, Mapping[str, Answers]]], resamples: int) -> None:
        self.answers, self.resamples = answers, resamples
        self._made: dict[tuple[Any, ...], Drawn] = {}
        self._telling: dict[tuple[Any, ...], set[str]] = {}

    def seeds(self, arm: str, tasks: Sequence[str]) -> list[int]:
        return [seed for seed, by_task in self.answers[arm].items() if all(task in by_task for task in tasks)]

    def of(self, arm: str, seed: int, tasks: Sequence[str]) -> Drawn:
        key = (arm, seed, *tasks)
        if key not in self._made:
            parts = [self.answers[arm][seed][task] for task in tasks]
            measured: Measured = MeanOverTasks([part.measured for part in parts]) if len(parts) > 1 else parts[0].measured
            groups = np.concatenate([part.groups for part in parts])
            self._made[key] = bootstrap_draws([measured], groups, self.resamples)
        return self._made[key]

    def value(self, arm: str, seed: int, tasks: Sequence[str], metric: str) -> float:
        """Of one seed; NaN where undefined."""
        return self.mean(arm, [seed], tasks, metric)[0]

    def mean(self, arm: str, seeds: Sequence[int], tasks: Sequence[str], metric: str) -> tuple[float, Floats]:
        """Over seeds, those that are defined."""
        # An arm whose networks state no spread has no metric of it.
        undefined = (np.nan, np.full(self.resamples, np.nan))
        each = [self.of(arm, seed, tasks).get(metric, undefined) for seed in seeds]
        value = mean_defined(np.array([value for value, _ in each]), axis=0)
        return float(value), mean_defined(np.stack([draws for _, draws in each]), axis=0)

    def difference(self, a: str, b: str, seeds: Sequence[int], tasks: Sequence[str], metric: str) -> Difference:
        """Arm a minus arm b, the mean over the seeds for which both are defined."""
        pairs = [(self.mean(a, [seed], tasks, metric), self.mean(b, [seed], tasks, metric)) for seed in seeds]
        value = mean_defined(np.array([of_a - of_b for (of_a, _), (of_b, _) in pairs]), axis=0)
        draws = mean_defined(np.stack([of_a - of_b for (_, of_a), (_, of_b) in pairs]), axis=0)
        found = paired(float(value), draws, 0.0, np.zeros(self.resamples))
        return floored(found, len(self.telling(a, b, seeds, tasks, metric)))

    def telling(self, a: str, b: str, seeds: Sequence[int], tasks: Sequence[str], metric: str) -> set[str]:
        """The groups that tell arm a from arm b."""
        found: set[str] = set()
        for task in tasks:
            key = (a, b, *seeds, task, metric)
            if key not in self._telling:
                of_a, of_b = ([self.answers[arm][seed][task] for seed in seeds] for arm in (a, b))
                self._telling[key] = telling_groups(of_a, of_b, [metric]).get(metric, set())
            found |= self._telling[key]
        return found


def _result(plan: Plan, drawn: _Draws, arm: str, task: str, metric: str) -> Result:
    seeds = drawn.seeds(arm, [task])
    values = [drawn.value(arm, seed, [task], metric) for seed in seeds]
    by_seed = {str(seed): _or_none(value) for seed, value in zip(seeds, values, strict=True)}
    known = [value for value in values if not np.isnan(value)]
    if plan.experiment.interval != "groups" and len(known) >= LEAST_SEEDS:
        over = seed_interval(known)
        return Result(arm, task, metric, by_seed, over["mean"], over["low"], over["high"], "seeds")
    interval = percentile_interval(*drawn.mean(arm, seeds, [task], metric))
    return Result(arm, task, metric, by_seed, interval["value"], interval["low"], interval["high"], "groups")


#: a, b, tasks, metric, primary.
_Pair = tuple[str, str, tuple[str, ...], str, bool]


def _pairs(plan: Plan, answers: Mapping[str, Mapping[int, Mapping[str, Answers]]]) -> list[_Pair]:
    """The primary comparison, then the first arm against each other one on every task and metric."""
    own = plan.primary
    found: list[_Pair] = [(own.a, own.b, own.tasks, own.metric, True)]
    first, *others = plan.told
    for task, about in plan.tasks.items():
        for other in others:
            for metric in about.chosen:
                same = {first, other} == {own.a, own.b} and (task,) == own.tasks and metric == own.metric
                if not same:
                    found.append((first, other, (task,), metric, False))
    return [pair for pair in found if _shared(answers, pair)]


def _shared(answers: Mapping[str, Mapping[int, Mapping[str, Answers]]], pair: _Pair) -> list[int]:
    a, b, tasks, *_ = pair
    both = [seed for seed in answers[a] if seed in answers[b]]
    return [seed for seed in both if all(task in answers[arm][seed] for arm in (a, b) for task in tasks)]


def _contrasts(plan: Plan, drawn: _Draws, pairs: Sequence[_Pair], tasks: Mapping[str, Judged]) -> list[Contrast]:
    differences: list[Difference] = []
    for pair in pairs:
        a, b, names, metric, _ = pair
        differences.append(drawn.difference(a, b, _shared(drawn.answers, pair), names, metric))
    family = [number for number, pair in enumerate(pairs) if not pair[4] and differences[number]["p"] is not None]
    adjusted = dict(zip(family, holm([differences[number]["p"] or 0.0 for number in family]), strict=True))
    found = []
    for number, (pair, difference) in enumerate(zip(pairs, differences, strict=True)):
        a, b, names, metric, primary = pair
        seeds = _shared(drawn.answers, pair)
        by_seed = {
            str(seed): _or_none(drawn.value(a, seed, names, metric) - drawn.value(b, seed, names, metric)) for seed in seeds
        }
        about = names[0] if len(names) == 1 else f"the mean over {', '.join(names)}"
        kind, unit = plan.tasks[names[0]].kind, tasks[names[0]].unit
        told = cast("dict[str, float | None]", dict(difference))
        telling = len(drawn.telling(a, b, seeds, names, metric))
        verdict = judge(a, b, about, metric, kind, difference, by_seed, adjusted.get(number), unit, telling)
        found.append(Contrast(a, b, list(names), metric, primary, seeds, by_seed, told, adjusted.get(number), *verdict))
    return found


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _arm(plan: Plan, done: _Done, name: str) -> Arm:
    records = done.records[name]
    return Arm(
        name=name,
        sets=list(plan.told[name]),
        seeds=list(done.answers[name]),
        parameters=records[0].parameters if records else None,
        macs=records[0].macs if records else None,
        seconds=float(np.mean([record.seconds for record in records])) if records else None,
        memory=max((record.memory for record in records if record.memory is not None), default=None),
    )


def _states(plan: Plan, folder: Path, outcomes: Sequence[Outcome]) -> list[JobState]:
    ended = {outcome.name: outcome for outcome in outcomes if outcome.state in ("failed", "claimed")}
    found = []
    for job in plan.jobs:
        outcome = ended.get(job.name)
        if finished(folder, job) is not None:
            found.append(JobState(job.name, "finished", ""))
        elif outcome is not None:
            found.append(JobState(job.name, outcome.state, outcome.reason))
        else:
            found.append(JobState(job.name, "open", ""))
    return found


def _curves(plan: Plan, folder: Path) -> dict[str, list[dict[str, float | None]]]:
    found = {}
    for job in plan.jobs:
        if finished(folder, job) is None:
            continue
        rows = chain.from_iterable(read_run(run_folder(folder, job.name)).histories.values())
        keys = ("epoch", "train_loss", "val_loss")
        found[job.name] = [{key: _or_none(row.get(key, np.nan)) for key in keys} for row in rows]
    return found


def _notes(plan: Plan, done: _Done, results: Sequence[Result]) -> list[str]:
    notes = []
    wanted = list(plan.experiment.seeds)
    for arm, seeds in done.answers.items():
        if list(seeds) != wanted:
            notes.append(
                f"{len(seeds)} of {len(wanted)} seeds of {arm} are done; differences are over the seeds that both arms have."
            )
    if any(result.over == "groups" for result in results) and plan.experiment.interval != "groups":
        notes.append(
            f"With fewer than {LEAST_SEEDS} seeds the intervals of an arm are over the groups of the test set, and say nothing "
            f"of how another seed would do."
        )
    notes.append(
        "Intervals of differences are over the groups of the test set, with the trained networks as they are; 'by seed' shows "
        "how much the training itself varies."
    )
    if plan.experiment.folds:
        notes.append("Answers of all folds are judged together: each case is tested once, by the network that did not see it.")
    return notes
