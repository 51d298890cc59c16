"""drifa data leakage-cost: what siblings of test images in training are worth, by paired injection.

One test set and two training sets of equal size: a clean one without any sibling (a case of the same group) of a test case, and
one in which siblings have taken the place of as many cases of the same labels. Same seeds, same test cases: what differs is the
leak alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from drifa.config import make_config
from drifa.config.reading import apply_override, read_plain
from drifa.data import Study, split
from drifa.data.study.checks import UNUSED
from drifa.data.study.subjects import Subjects, subject_codes
from drifa.errors import DrifaError
from drifa.experiments.answers import Answers, read_answers
from drifa.experiments.experiment import Experiment, Primary, ask
from drifa.experiments.jobs import Outcome, finished, run_folder
from drifa.experiments.launch import Tell
from drifa.experiments.plan import Plan, make_plan
from drifa.experiments.run import run_experiment
from drifa.files import write_json, write_text
from drifa.metrics.differences import paired
from drifa.metrics.intervals import bootstrap_draws
from drifa.progress import Progress
from drifa.runs.run import Run
from drifa.tasks import SubjectKind, kinds_from

FORMAT = 1
CLEAN = "clean"
METRICS = ("accuracy", "balanced_accuracy", "auc")
RESAMPLES = 2000


@dataclass(frozen=True)
class Sets:
    """Who trains and who is tested, as indices of subjects.

    Attributes:
        test, val, clean: Without a group in common.
        leaky: Share -> a training set as large as ``clean``, with siblings of test subjects in it.
        siblings: Share -> those siblings.
        exposed: Share -> the test subjects that have a sibling in it.
    """

    test: np.ndarray
    val: np.ndarray
    clean: np.ndarray
    leaky: dict[float, np.ndarray]
    siblings: dict[float, np.ndarray]
    exposed: dict[float, np.ndarray]


@dataclass(frozen=True)
class LeakageCost:
    """A metric of the leaky network minus that of the clean one, mean over seeds.

    Attributes:
        share: Of the test groups with siblings whose siblings were trained on.
        task, metric: Which.
        on: ``all`` test cases, or the ``exposed`` ones.
        cases: Their number.
        difference: As in :class:`drifa.metrics.differences.Difference`.
    """

    share: float
    task: str
    metric: str
    on: str
    cases: int
    difference: dict[str, float | None]


def paired_sets(subjects: Subjects, shares: Sequence[float], seed: int = 0) -> Sets:
    """Draws the sets from a study that is split by whole groups.

    Of each test group with several subjects half stay in the test set, rounded up; the others are its siblings, held back from
    the clean set. Each that is injected takes the place of a training subject with the same modalities and labels.

    Args:
        subjects: With a split that cuts no group.
        shares: Of the test groups with siblings, those that leak; more leak with a larger share, never others.
        seed: Of the draw.

    Raises:
        DrifaError: A share is not in (0, 1], no test group has several subjects, or no training subject can make room.
    """
    for share in shares:
        if not 0 < share <= 1:
            raise DrifaError(f"--share {share:g} is no share of the test groups with siblings; give more than 0 and at most 1")
    random = np.random.default_rng(seed)
    drawn, val, clean = (random.permutation(subjects.in_split(name)) for name in ("test", "val", "train"))
    kept: list[int] = []
    held: dict[str, tuple[list[int], list[int]]] = {}
    by_group: dict[str, list[int]] = {}
    for row in drawn.tolist():
        by_group.setdefault(str(subjects.group[row]), []).append(row)
    for group, rows in by_group.items():
        staying = -(-len(rows) // 2)
        kept += rows[:staying]
        if len(rows) > 1:
            held[group] = (rows[:staying], rows[staying:])
    if not held:
        raise DrifaError(
            "no group of the test split holds two subjects, so that nothing can leak; group the study by what repeats in it, "
            "such as lesion or patient, or find twins with `drifa data audit STUDY --fix groups`"
        )
    leaky, siblings, exposed = {}, {}, {}
    groups = list(held)
    for share in shares:
        chosen = groups[: max(1, round(share * len(groups)))]
        siblings[share] = np.sort([row for group in chosen for row in held[group][1]])
        exposed[share] = np.sort([row for group in chosen for row in held[group][0]])
        leaky[share] = _exchanged(subjects, clean, siblings[share])
    return Sets(np.sort(kept), np.sort(val), np.sort(clean), leaky, siblings, exposed)


def _exchanged(subjects: Subjects, clean: np.ndarray, coming: np.ndarray) -> np.ndarray:
    """The clean set with as many of its subjects exchanged, each for one of the same modalities and labels."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for row in clean.tolist():
        alike.setdefault(_stratum(subjects, row), []).append(row)
    going = []
    for row in coming.tolist():
        room = alike.get(_stratum(subjects, row), [])
        if len(room) < 2:
            raise DrifaError(
                f"too few training subjects have the labels of {str(subjects.ids[row])!r} to make room for all siblings of "
                f"the test set; give smaller shares, or a smaller test set with data.fractions"
            )
        going.append(room.pop())
    return np.sort(np.concatenate([clean[~np.isin(clean, going)], coming]))


def _stratum(subjects: Subjects, row: int) -> tuple[int, ...]:
    return (int(subjects.pattern[row]), *subjects.strata[row].tolist())


def column_of(share: float | None) -> str:
    """The column of the study that holds a training set, and the name of its arm."""
    return CLEAN if share is None else f"share-{share:g}"


def with_sets(study: Study, sets: Sets) -> Study:
    """The study with one column of splits per training set.

    Siblings get a group of their own, named GROUP (sibling), as no split may cut a group: here one is cut on purpose.
    """
    table = study.table.copy()
    subjects = study.subjects()
    codes, ids = subject_codes(table)
    group = np.array(subjects.group, dtype=object)
    for rows in sets.siblings.values():
        group[rows] = [f"{name} (sibling)" for name in subjects.group[rows]]
    table["group"] = group[codes]
    for share, train in [(None, sets.clean), *sets.leaky.items()]:
        side = np.full(len(ids), UNUSED, dtype=object)
        for name, rows in (("train", train), ("val", sets.val), ("test", sets.test)):
            side[rows] = name
        table[column_of(share)] = side[codes]
    table["split"] = ""
    return replace(study, table=table, split_protocol="")


def leakage_cost(
    study: str | Path,
    config: str | Path,
    shares: Sequence[float],
    out: str | Path,
    seeds: Sequence[int] = (0, 1, 2),
    overrides: Sequence[str] = (),
    tell: Tell | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
) -> tuple[list[LeakageCost], list[Outcome]]:
    """Trains on the clean and the leaky sets, and writes `leakage.json` and `leakage.md` beside the comparison.

    Args:
        study: Study folder.
        config: Configuration; its own study is not used.
        shares: See :func:`paired_sets`.
        out: Folder; new, or one to continue.
        seeds: Of the networks; all sets are the same for all.
        overrides: ``section.key=value``.
        tell: Called whenever a job has ended.
        progress: As in :func:`drifa.training.train.train`.
        quiet: No progress bars.

    Raises:
        DrifaError: Nothing can leak, a setting does not fit, or no job is finished.
    """
    out, shares = Path(out), sorted(set(shares))
    plain = read_plain(config)
    for text in overrides:
        apply_override(plain, text)
    plain["data"] = {**(plain.get("data") or {}), "study": str(out / "study")}
    for key in ("protocol", "folds", "fold", "sizes", "column", "calibration_fraction"):
        plain["data"].pop(key, None)
    data = make_config(plain, str(config)).data
    loaded = Study.load(study)
    loaded = loaded.select(data.modalities or list(loaded.modalities), data.tasks or None)
    divided, _ = split(loaded, "strict", data.fractions, data.split_seed)
    sets = paired_sets(divided.subjects(), shares, data.split_seed)
    arms: dict[str, Any] = {
        name: ["data.protocol=column", f"data.column={name}"] for name in (CLEAN, *(column_of(share) for share in shares))
    }
    experiment = Experiment(
        config=plain,
        arms=arms,
        seeds=list(seeds),
        metrics=list(METRICS),
        primary=Primary(arms=(column_of(shares[-1]), CLEAN), metric="balanced_accuracy"),
    )
    if not (out / "study" / "study.yaml").is_file():
        with_sets(divided, sets).save(out / "study")
    plan = make_plan(ask("leakage", experiment, place=str(config)))
    outcomes, _ = run_experiment(plan, out / "runs", 1, tell, progress, quiet)
    found = costs(plan, out / "runs", divided.subjects(), sets)
    sizes = {"test": len(sets.test), "train": len(sets.clean)}
    sizes |= {f"siblings, share {share:g}": len(rows) for share, rows in sets.siblings.items()}
    write_json(out / "leakage.json", {"drifa_leakage": FORMAT, "sizes": sizes, "costs": [asdict(one) for one in found]})
    write_text(out / "leakage.md", markdown(found, sizes))
    return found, outcomes


def costs(plan: Plan, folder: Path, subjects: Subjects, sets: Sets) -> list[LeakageCost]:
    """Leaky minus clean, on all test cases and on the exposed ones, over the seeds of which both are done."""
    done: dict[str, dict[int, dict[str, Answers]]] = {}
    kinds: Mapping[str, Any] = {}
    for job in plan.jobs:
        if finished(folder, job) is not None:
            place = run_folder(folder, job.name)
            done.setdefault(job.arm, {})[job.seed] = read_answers([place])
            kinds = kinds or kinds_from(Run.open(place).info.tasks)
    found = []
    for share, rows in sets.exposed.items():
        clean, leaky = done.get(CLEAN, {}), done.get(column_of(share), {})
        seeds = [seed for seed in leaky if seed in clean]
        for task in kinds if seeds else ():
            if any(task not in one[seed] for one in (clean, leaky) for seed in seeds):
                continue
            cases = clean[seeds[0]][task].cases
            for on, chosen in (("all", np.full(len(cases), True)), ("exposed", np.isin(cases, subjects.ids[rows]))):
                if chosen.any():
                    both = [_drawn(kinds[task], [one[seed][task] for seed in seeds], chosen) for one in (leaky, clean)]
                    for metric in METRICS:
                        if metric in both[0]:
                            difference = dict(paired(*both[0][metric], *both[1][metric]))
                            found.append(LeakageCost(share, task, metric, on, int(chosen.sum()), difference))  # type: ignore[arg-type]
    return found


def _drawn(kind: SubjectKind[Any], answers: Sequence[Answers], chosen: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
    """Metric -> value and draws on the chosen cases, mean over networks."""
    each = [bootstrap_draws([kind.judged_rows(one.rows[chosen])], one.groups[chosen], RESAMPLES) for one in answers]
    return {
        name: (float(np.mean([one[name][0] for one in each])), np.mean([one[name][1] for one in each], axis=0))
        for name in each[0]
    }


def markdown(found: Sequence[LeakageCost], sizes: Mapping[str, int]) -> str:
    """A table of the points that the leak adds, with intervals."""
    lines = [
        "# What siblings of test images in training are worth",
        "",
        f"Leaky minus clean, in points, mean over seeds, 95 % intervals over the groups of the test set; {sizes['test']} test "
        f"subjects, and {sizes['train']} training subjects in either set.",
        "",
        "| share | task | metric | test cases | difference |",
        "|---|---|---|---|---|",
    ]
    for one in found:
        value, low, high = (one.difference[name] for name in ("value", "low", "high"))
        told = "–" if value is None or np.isnan(value) else f"{100 * value:+.1f}"
        if told != "–" and low is not None and high is not None:
            told += f" [{100 * low:+.1f}, {100 * high:+.1f}]"
        lines.append(f"| {one.share:g} | {one.task} | {one.metric} | {one.cases} ({one.on}) | {told} |")
    return "\n".join(lines) + "\n"
