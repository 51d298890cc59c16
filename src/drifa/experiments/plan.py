"""From an experiment to its jobs: one network each, with what determines it, before anything is trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drifa.config import Config, make_config
from drifa.data import Study, split
from drifa.errors import DrifaError, suggest
from drifa.experiments.experiment import Asked, Experiment
from drifa.files import digest
from drifa.metrics.classification import METRICS
from drifa.metrics.names import HEADLINES, Kind, metric_words
from drifa.metrics.regression import NUMBER_METRICS, SPREAD_METRICS
from drifa.runs.run import load_study
from drifa.version import __version__

#: Settings that say where things lie, what computes and what follows, not what is learned; and one that the split tells.
PLACES = (
    *(("data", "study"), ("data", "cache"), ("data", "maps_gb")),
    *(("train", "accelerator"), ("train", "threads"), ("train", "calibrate"), ("data", "calibration_fraction")),
)
#: The one figure by which a kind of task is compared where nobody says which.
MAIN_METRIC: dict[Kind, str] = {"classes": "balanced_accuracy", "number": "mae", "regions": "dice"}


@dataclass(frozen=True)
class Task:
    """A task that at least one arm answers.

    Attributes:
        kind: Of answer.
        metrics: Those that can be compared.
        chosen: Those that are.
    """

    kind: Kind
    metrics: tuple[str, ...]
    chosen: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One network of an experiment.

    Attributes:
        name: ``ARM-sSEED`` or ``ARM-sSEED-fFOLD``, also of its folder.
        arm: Its arm.
        seed: Of the network.
        fold: Of the cross-validation; None without one.
        config: What is trained.
        split: sha256 of the split's receipt.
        key: A hash of what determines the network; the same key, the same network.
        subsets: Whether it is also asked with every subset of the modalities.
    """

    name: str
    arm: str
    seed: int
    fold: int | None
    config: Config
    split: str
    key: str
    subsets: bool = False


@dataclass(frozen=True)
class Primary:
    """The comparison that counts.

    Attributes:
        a, b: Arms; the difference is a - b.
        tasks: The task, or several, over which the metric is averaged.
        metric: Its metric.
    """

    a: str
    b: str
    tasks: tuple[str, ...]
    metric: str


@dataclass(frozen=True)
class Plan:
    """All that an experiment will do.

    Attributes:
        name: Of the experiment.
        experiment: As written.
        told: Arm -> what it sets.
        jobs: Seeds outermost, so that an interrupted experiment has compared all arms.
        tasks: Name -> what is compared of it.
        primary: The comparison that counts.
        study: Name of the study.
        studies: Arm -> the study with the split of its first job, for sizes.
    """

    name: str
    experiment: Experiment
    told: Mapping[str, list[str]]
    jobs: tuple[Job, ...]
    tasks: Mapping[str, Task]
    primary: Primary
    study: str
    studies: Mapping[str, Study]


def make_plan(asked: Asked) -> Plan:
    """Checks every arm and splits every study, and writes nothing.

    Raises:
        DrifaError: A key or value does not fit, two arms are the same, or arms would judge different cases.
    """
    experiment = asked.experiment
    seen: dict[str, tuple[Study, str]] = {}
    jobs: list[Job] = []
    studies: dict[str, Study] = {}
    tested = {}
    folds: list[int | None] = list(range(experiment.folds)) if experiment.folds else [None]
    for seed in experiment.seeds:
        for fold in folds:
            for arm, plain in asked.arms.items():
                config = _config(plain, seed, fold, experiment.folds, f"arm {arm!r} of {asked.name}")
                _refuse_missing_weights(config.model.pretrained, f"arm {arm!r} of {asked.name}")
                study, receipt = _split(config, seen)
                name = f"{arm}-s{seed}" + (f"-f{fold}" if fold is not None else "")
                jobs.append(Job(name, arm, seed, fold, config, receipt, job_key(config, receipt), experiment.subsets))
                if seed == experiment.seeds[0]:
                    studies.setdefault(arm, study)
                    tested[fold, arm] = {task: _cases(study, task) for task in study.tasks}
    _refuse_twins(jobs)
    for fold in folds:
        _refuse_other_cases({arm: tested[fold, arm] for arm in asked.arms})
    spread = any(job.config.train.number_loss == "gaussian_nll" for job in jobs)
    tasks = _tasks(studies, experiment, spread)
    first = studies[jobs[0].arm]
    return Plan(asked.name, experiment, asked.told, tuple(jobs), tasks, _primary(experiment, tasks), first.name, studies)


def job_key(config: Config, receipt: str, version: str = __version__) -> str:
    """A hash of what determines a network and its answers: the configuration without its places, split and version.

    Args:
        config: What is trained; weights files count by their content.
        receipt: sha256 of the split's receipt.
        version: Of the package.
    """
    plain = config.model_dump(mode="json")
    for section, key in PLACES:
        plain[section].pop(key)
    plain["model"]["pretrained"] = _weights(config.model.pretrained)
    text = json.dumps([plain, receipt, version], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _weights(source: Any) -> Any:
    if isinstance(source, Mapping):
        return {name: _weights(part) for name, part in source.items()}
    return digest(source) if isinstance(source, str) and Path(source).is_file() else source


def _refuse_missing_weights(source: Any, place: str) -> None:
    for one in source.values() if isinstance(source, Mapping) else [source]:
        if isinstance(one, str) and not Path(one).is_file():
            raise DrifaError(
                f"{place}: weights file {one} does not exist; give model.pretrained the path of one, or true for timm's own"
            )


def _config(plain: Mapping[str, Any], seed: int, fold: int | None, folds: int, place: str) -> Config:
    raw = deepcopy(dict(plain))
    make_config(raw, place)  # so that what is wrong is told in the user's own terms
    raw["train"] = {**(raw.get("train") or {}), "seed": seed, "members": 1, "calibrate": False}
    raw["evaluate"] = {"passes": 0, **(raw.get("evaluate") or {})}
    if fold is not None:
        raw["data"] = {**raw["data"], "protocol": "kfold", "folds": folds, "fold": fold}
    return make_config(raw, place)


def _split(config: Config, seen: dict[str, tuple[Study, str]]) -> tuple[Study, str]:
    """The study of a configuration with its split, and the hash of that; read once for all that share it."""
    data = config.data
    asked = [data.studies, data.modalities, data.tabular, data.tasks, data.split_settings]
    key = json.dumps(asked, sort_keys=True)
    if key not in seen:
        study, receipt = split(load_study(config), **data.split_settings)
        seen[key] = (study, str(receipt["sha256"]))
    return seen[key]


def _cases(study: Study, task: str) -> frozenset[str]:
    subjects = study.subjects()
    tested = np.isin(np.arange(len(subjects.ids)), subjects.in_split("test"))
    return frozenset(subjects.ids[tested & subjects.known_of(task)].tolist())


def _refuse_twins(jobs: list[Job]) -> None:
    by_key: dict[str, Job] = {}
    for job in jobs:
        other = by_key.setdefault(job.key, job)
        if other is not job:
            raise DrifaError(
                f"the arms {other.arm!r} and {job.arm!r} would train the same network twice: what they set comes to the same "
                f"configuration; change one, or leave it out"
            )


def _refuse_other_cases(tested: Mapping[str, Mapping[str, frozenset[str]]]) -> None:
    (first, own), *others = tested.items()
    for arm, tasks in others:
        shared = [task for task in own if task in tasks]
        if not shared:
            raise DrifaError(f"the arms {first!r} and {arm!r} have no task in common, so there is nothing to compare")
        for task in shared:
            if own[task] != tasks[task]:
                raise DrifaError(
                    f"the arms {first!r} and {arm!r} would judge different cases of task {task!r} ({len(own[task])} and "
                    f"{len(tasks[task])}, {len(own[task] & tasks[task])} in common): let no arm change study, modalities or "
                    f"split, or fix the split beforehand with `drifa data split` and data.protocol=given"
                )


def _tasks(studies: Mapping[str, Study], experiment: Experiment, spread: bool) -> dict[str, Task]:
    found = {}
    for study in studies.values():
        for name, task in study.tasks.items():
            kind: Kind = task.target.kind
            metrics = _metrics(kind, task.classes, spread)
            wanted = experiment.metrics or [metric for metric in HEADLINES[kind] if metric in metrics]
            found[name] = Task(kind, metrics, tuple(metric for metric in wanted if metric in metrics))
    known = list(dict.fromkeys(metric for task in found.values() for metric in task.metrics))
    for metric in experiment.metrics:
        if metric not in known:
            raise DrifaError(f"metric {metric!r} is none of a task of this study{suggest(metric, known)}")
    return found


def _metrics(kind: Kind, parts: tuple[str, ...], spread: bool) -> tuple[str, ...]:
    if kind == "classes":
        return tuple(METRICS)
    if kind == "number":
        return (*NUMBER_METRICS, *(SPREAD_METRICS if spread else ()))
    names = ("dice", "dice_present", "sensitivity", "specificity", "hd95", "missed", "accuracy")
    return ("dice", *(f"{name}_{part}" for name in names for part in parts))


def _primary(experiment: Experiment, tasks: Mapping[str, Task]) -> Primary:
    asked = experiment.primary
    a, b = asked.arms if asked else list(experiment.arms)[:2]
    if asked and asked.task and asked.task not in tasks:
        raise DrifaError(f"primary names the task {asked.task!r}{suggest(asked.task, tasks)}")
    metric = asked.metric if asked else MAIN_METRIC[next(iter(tasks.values())).kind]
    chosen = [asked.task] if asked and asked.task else [name for name, task in tasks.items() if metric in task.metrics]
    if not chosen or metric not in tasks[chosen[0]].metrics:
        asked_of = chosen or list(tasks)
        known = list(dict.fromkeys(name for task in asked_of for name in tasks[task].metrics))
        raise DrifaError(
            f"primary names the metric {metric!r}, which {' and '.join(asked_of)} does not have{suggest(metric, known)}"
        )
    kinds = {tasks[name].kind for name in chosen}
    if len(chosen) > 1 and (len(kinds) > 1 or metric_words(metric, kinds.pop()).style == "unit"):
        if asked:
            raise DrifaError(
                f"primary: {metric} of {', '.join(chosen)} has no common scale to take a mean on; name one with 'task'"
            )
        chosen = chosen[:1]
    return Primary(a, b, tuple(chosen), metric)
