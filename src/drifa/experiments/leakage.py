"""drifa data leakage-cost: what siblings of test images in training are worth, by paired injection.

One test set and two training sets of equal size: a clean one without any sibling (a case of the same group) of a test case, and
one in which siblings have taken the place of as many cases of the same labels. Same seeds, same test cases: what differs is the
leak alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drifa.config import make_config
from drifa.config.reading import read_plain
from drifa.data import Study, split
from drifa.data.study.subjects import Subjects
from drifa.experiments.answers import Answers, read_answers
from drifa.experiments.experiment import Experiment, Primary, ask
from drifa.experiments.jobs import Outcome, begin, finished, run_folder
from drifa.experiments.launch import Tell
from drifa.experiments.leakage_sets import CLEAN, Sets, check_columns, column_of, paired_sets, shares_in, with_sets
from drifa.experiments.plan import Plan, make_plan
from drifa.experiments.run import run_experiment
from drifa.experiments.telling import STARRED, floored, star, telling_groups
from drifa.files import write_json, write_text
from drifa.metrics.differences import paired
from drifa.metrics.intervals import bootstrap_draws
from drifa.progress import Progress

FORMAT = 1
METRICS = ("accuracy", "balanced_accuracy", "auc")
RESAMPLES = 2000
#: Metric -> value and draws.
Drawn = dict[str, tuple[float, np.ndarray]]


@dataclass(frozen=True)
class LeakageCost:
    """A metric of the leaky network minus that of the clean one, mean over seeds.

    Attributes:
        share: Of the test groups with siblings whose siblings were trained on.
        task, metric: Which.
        on: ``all`` test cases, or the ``exposed`` ones.
        cases: Their number.
        difference: As in :class:`drifa.metrics.differences.Difference`.
        groups: How many of them tell the two apart, see :func:`drifa.experiments.telling.telling_groups`.
    """

    share: float
    task: str
    metric: str
    on: str
    cases: int
    difference: dict[str, float | None]
    groups: int


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
    jobs: int = 1,
) -> tuple[list[LeakageCost], list[Outcome]]:
    """Trains on the clean and the leaky sets, and writes `leakage.json` and `leakage.md` beside the comparison.

    Args:
        study: Study folder.
        config: Configuration; its own study is not used.
        shares: See :func:`drifa.experiments.leakage_sets.paired_sets`; those that the folder holds already are kept and
            continued.
        out: Folder; new, or one to continue.
        seeds: Of the networks; all sets are the same for all.
        overrides: ``section.key=value``.
        tell: Called whenever a job has ended.
        progress: As in :func:`drifa.training.train.train`.
        quiet: No progress bars.
        jobs: How many networks are trained at a time.

    Raises:
        DrifaError: Nothing can leak, a setting does not fit, the folder holds the sets of another split, or no job is finished.
    """
    out = Path(out)
    plain = without_split(read_plain(config, overrides), out / "study")
    data = make_config(plain, str(config)).data
    loaded = Study.load(study)
    loaded = loaded.select(data.modalities or list(loaded.modalities), data.tasks or None)
    divided, _ = split(loaded, "strict", data.fractions, data.split_seed)
    begun = Study.load(out / "study") if (out / "study" / "study.yaml").is_file() else None
    known = [] if begun is None else shares_in(begun)
    shares = sorted({column_of(share): share for share in (*shares, *known)}.values())
    sets = paired_sets(divided.subjects(), shares, data.split_seed)
    held = with_sets(divided, sets)
    if begun is not None:
        check_columns(begun, held, [CLEAN, *map(column_of, known)], out / "study")

    def planned(shares: Sequence[float]) -> Plan:
        arms: dict[str, Any] = {
            name: ["data.protocol=column", f"data.column={name}"] for name in (CLEAN, *map(column_of, shares))
        }
        experiment = Experiment(
            config=plain,
            arms=arms,
            seeds=list(seeds),
            metrics=list(METRICS),
            primary=Primary(arms=(column_of(shares[-1]), CLEAN), metric="balanced_accuracy"),
        )
        return make_plan(ask("leakage", experiment, place=str(config)))

    if len(shares) > len(known):
        if known:  # under other settings nothing is added
            begin(planned(sorted(known)), out / "runs")
        held.save(out / "study")
    plan = planned(shares)
    outcomes, _ = run_experiment(plan, out / "runs", jobs, tell, progress, quiet)
    found = costs(plan, out / "runs", divided.subjects(), sets)
    sizes = {"test": len(sets.test), "train": len(sets.clean)}
    sizes |= {f"siblings, share {share:g}": len(rows) for share, rows in sets.siblings.items()}
    write_json(out / "leakage.json", {"drifa_leakage": FORMAT, "sizes": sizes, "costs": [asdict(one) for one in found]})
    write_text(out / "leakage.md", markdown(found, sizes))
    return found, outcomes


def costs(plan: Plan, folder: Path, subjects: Subjects, sets: Sets) -> list[LeakageCost]:
    """Leaky minus clean, on all test cases and on the exposed ones, over the seeds of which both are done."""
    done: dict[str, dict[int, dict[str, Answers]]] = {}
    for job in plan.jobs:
        if finished(folder, job) is not None:
            done.setdefault(job.arm, {})[job.seed] = read_answers([run_folder(folder, job.name)])
    found = []
    for share, rows in sets.exposed.items():
        clean, leaky = done.get(CLEAN, {}), done.get(column_of(share), {})
        seeds = [seed for seed in leaky if seed in clean]
        for task in clean[seeds[0]] if seeds else ():
            if any(task not in one[seed] for one in (clean, leaky) for seed in seeds):
                continue
            cases = clean[seeds[0]][task].cases
            for on, chosen in (("all", np.full(len(cases), True)), ("exposed", np.isin(cases, subjects.ids[rows]))):
                if chosen.any():
                    leaks, without = ([one[seed][task].at(chosen) for seed in seeds] for one in (leaky, clean))
                    for metric, (difference, groups) in differences(
                        leaks, without, drawn(leaks), drawn(without), METRICS
                    ).items():
                        found.append(LeakageCost(share, task, metric, on, int(chosen.sum()), difference, groups))
    return found


def without_split(plain: Mapping[str, Any], study: Path) -> dict[str, Any]:
    """A configuration on another study, without what it says of splits; a column is to hold them."""
    mine = ("protocol", "folds", "fold", "sizes", "column", "calibration_fraction")
    data = {key: value for key, value in (plain.get("data") or {}).items() if key not in mine}
    return {**plain, "data": {**data, "study": str(study)}}


def differences(
    first: Sequence[Answers], second: Sequence[Answers], a: Drawn, b: Drawn, metrics: Iterable[str]
) -> dict[str, tuple[dict[str, float | None], int]]:
    """Metric -> the first networks minus the second, whose draws are a and b, and how many groups tell them apart."""
    known = [metric for metric in metrics if metric in a]
    telling, found = telling_groups(first, second, known), {}
    for metric in known:
        groups = len(telling.get(metric, ()))
        found[metric] = (dict(floored(paired(*a[metric], *b[metric]), groups)), groups)
    return found  # type: ignore[return-value]


def drawn(answers: Sequence[Answers]) -> Drawn:
    """Metric -> value and draws, mean over networks."""
    each = [bootstrap_draws([one.measured], one.groups, RESAMPLES) for one in answers]
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
        *([STARRED, ""] if any(star(one.groups) for one in found) else []),
        "| share | task | metric | test cases | difference |",
        "|---|---|---|---|---|",
    ]
    for one in found:
        cells = [
            f"{one.share:g}",
            one.task,
            one.metric,
            f"{one.cases} ({one.on})",
            difference_text(one.difference) + star(one.groups),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def difference_text(difference: Mapping[str, float | None]) -> str:
    """Points with their interval, such as ``+1.2 [-0.3, +2.7]``; a dash where there is none."""
    value, low, high = (difference[name] for name in ("value", "low", "high"))
    if value is None or np.isnan(value):
        return "–"
    return f"{100 * value:+.1f}" + (f" [{100 * low:+.1f}, {100 * high:+.1f}]" if low is not None and high is not None else "")
