"""The two habits of the released code that are matters of training, each alone and both, as an experiment of four arms.

Images split at random put siblings of test images (of the same lesion, of the same slide) into training; and the validation
part was the tail of an array to whose end turned and shifted copies of training images had been appended. Here all four arms
train on equally many subjects, validate on equally many and answer the same test images, so that each difference is that
habit's alone.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from drifa.config import make_config
from drifa.config.reading import read_plain
from drifa.data import Study, split
from drifa.data.reading.images import read_image
from drifa.data.study.checks import UNUSED
from drifa.errors import DrifaError
from drifa.experiments.answers import read_answers
from drifa.experiments.authors import FORMAT, SWITCHES, Counted, classes_of, count_run, counting
from drifa.experiments.experiment import Experiment, ask
from drifa.experiments.jobs import Outcome, finished, run_folder
from drifa.experiments.launch import Tell
from drifa.experiments.leakage import difference_text, differences, drawn, without_split
from drifa.experiments.leakage_sets import CLEAN, Sets, check_columns, paired_sets, with_sets
from drifa.experiments.plan import Plan, make_plan
from drifa.experiments.run import run_experiment
from drifa.experiments.telling import STARRED, star
from drifa.files import atomic_path, write_json, write_text
from drifa.progress import Progress
from drifa.runs.run import Run, load_study

#: Habit -> what the released code does.
HABITS = {
    "siblings": "images were split at random: siblings of test images (of their lesion, slide or patient) train",
    "copies": "validation is of turned and shifted copies of training images",
}
BOTH = "siblings+copies"
ARMS = (CLEAN, *HABITS, BOTH)
COMPARED = ("accuracy", "balanced_accuracy", "auc")
#: Of a copy, as in the released code: degrees of a turned one; of a shifted one, its share of the sides (5 of 128 pixels).
DEGREES, SHIFT = 20, 5 / 128


@dataclass(frozen=True)
class Added:
    """What a habit adds to the network's numbers, mean over seeds.

    Attributes:
        arm, task, metric: Which.
        difference: On the test cases, against the clean arm; as in :class:`drifa.metrics.differences.Difference`.
        value: On the test cases.
        validation: Accuracy that the arm's own validation part shows in its best epoch; None for other metrics.
        groups: How many of them tell the arm from the clean one, see :func:`drifa.experiments.telling.telling_groups`.
    """

    arm: str
    task: str
    metric: str
    difference: dict[str, float | None]
    value: float
    validation: float | None
    groups: int


def authors_training(
    config: str | Path,
    out: str | Path,
    seeds: Sequence[int] = (0, 1, 2),
    overrides: Sequence[str] = (),
    tell: Tell | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    jobs: int = 1,
) -> tuple[str, list[Outcome]]:
    """Trains with and without the two habits, counts every network as the released code does, and writes all of it.

    Args:
        config: Configuration; its studies are used.
        out: Folder; new, or one to continue. It gets `study` (with the copies), `runs` (the comparison), `authors.md` and
            `authors.json`.
        seeds: Of the networks; all sets are the same for all.
        overrides: ``section.key=value``.
        tell: Called whenever a job has ended.
        progress: As in :func:`drifa.training.train.train`.
        quiet: No progress bars.
        jobs: How many networks are trained at a time.

    Returns:
        `authors.md`, and how the jobs ended that were not finished before.

    Raises:
        DrifaError: A setting does not fit, the study has no images with classes or no siblings, the folder holds the sets of
            another split, or no job is finished.
    """
    out = Path(out)
    plain = read_plain(config, overrides)
    asked = make_config(plain, str(config))
    loaded = load_study(asked)
    if not any(task.target.kind == "classes" for task in loaded.tasks.values()):
        raise DrifaError(f"study {loaded.name!r} has no task of classes, whose answers could be counted otherwise")
    if any(modality.columns for modality in loaded.modalities.values()):
        raise DrifaError(
            f"study {loaded.name!r} has columns of a table, of which there are no turned copies; leave out data.tabular, "
            f"or choose the images with data.modalities=[NAME]"
        )
    divided, _ = split(loaded, "strict", asked.data.fractions, asked.data.split_seed)
    sets = paired_sets(divided.subjects(), [1.0], asked.data.split_seed)
    held = with_habits(divided, sets, out / "study")
    if (out / "study" / "study.yaml").is_file():
        check_columns(Study.load(out / "study"), held, ARMS, out / "study")
    else:
        write_copies(held, divided, progress)
        held.save(out / "study")
    experiment = Experiment(
        config=without_split(plain, out / "study"),
        arms={name: ["data.protocol=column", f"data.column={name}"] for name in ARMS},
        seeds=list(seeds),
        metrics=list(COMPARED),
    )
    plan = make_plan(ask("authors", experiment, place=str(config)))
    outcomes, _ = run_experiment(plan, out / "runs", jobs, tell, progress, quiet)
    judged, added, counts = _judge(plan, out / "runs", progress)
    parts = {"train": sets.clean, "val": sets.val, "test": sets.test, "exposed": sets.exposed[1.0]}
    sizes = {name: len(rows) for name, rows in parts.items()}
    sizes["copies"] = int(held.table.loc[held.table[BOTH] == "val", "subject"].nunique())
    content = {"seeds": judged, "subjects": sizes, "added": [asdict(one) for one in added]}
    write_json(out / "authors.json", {"drifa_authors": FORMAT, **content, "counted": [asdict(one) for one in counts]})
    text = markdown(added, counts, sizes, len(judged))
    write_text(out / "authors.md", text)
    return text, outcomes


def with_habits(study: Study, sets: Sets, folder: Path) -> Study:
    """The study with a column of splits per arm, and the copies as further subjects.

    Of each pattern of modalities as many subjects are copied as validate, drawn from those that train in all arms; where these
    are fewer, each once.

    Args:
        study: With a split that cuts no group.
        sets: From :func:`drifa.experiments.leakage_sets.paired_sets`, of the share 1.
        folder: Of the new study; the copies' files are to lie below it, in `copies`.
    """
    held = with_sets(study, sets)
    table = held.table.rename(columns={"share-1": "siblings"})
    root = Path(os.path.commonpath([study.root, os.path.abspath(folder)]))
    offset = study.root.relative_to(root)
    table["path"] = [(offset / path).as_posix() for path in table["path"]]
    subjects = study.subjects()
    always = np.intersect1d(sets.clean, sets.leaky[1.0])
    chosen: list[int] = []
    for pattern in np.unique(subjects.pattern[sets.val]):
        count = int((subjects.pattern[sets.val] == pattern).sum())
        known = always[subjects.pattern[always] == pattern]
        chosen += np.random.default_rng(0).permutation(known)[:count].tolist()
    number = pd.Series(range(len(chosen)), index=subjects.ids[np.sort(chosen)])
    copies = table[table["subject"].isin(number.index)].copy()
    below = Path(os.path.abspath(folder)).relative_to(root) / "copies"
    # Every other copy is turned, the others are shifted.
    kinds = copies["subject"].map(lambda name: ("turned", "shifted")[number[name] % 2])
    names = zip(copies["subject"], copies["modality"], kinds, strict=True)
    copies["path"] = [(below / f"{number[subject]}-{modality}-{kind}.png").as_posix() for subject, modality, kind in names]
    copies["subject"] += " (copy)"
    copies["group"] += " (copy)"
    for habit, copied in ((CLEAN, "copies"), ("siblings", BOTH)):
        table[copied] = table[habit].where(table[habit] != "val", UNUSED)
        copies[habit], copies[copied] = UNUSED, "val"
    return replace(held, root=root, table=pd.concat([table, copies], ignore_index=True))


def write_copies(held: Study, study: Study, progress: Progress | None = None) -> None:
    """Draws the copies' files: turned by 20 degrees or shifted by 5 of 128 pixels, with black where nothing was.

    Args:
        held: From :func:`with_habits`.
        study: What it was made from.
        progress: Called as ``progress(done, total, "copies")``.
    """
    sources = {(row.subject, row.modality): study.root / row.path for row in study.table.itertuples()}
    rows = held.table[held.table["subject"].str.endswith(" (copy)")]
    for done, row in enumerate(rows.itertuples()):
        source = sources[str(row.subject).removesuffix(" (copy)"), row.modality]
        pixels = read_image(source, held.modalities[str(row.modality)].channels)
        with atomic_path(held.root / str(row.path)) as path:
            copy_of(pixels, turned=str(row.path).endswith("turned.png")).save(path, format="PNG")
        if progress:
            progress(done + 1, len(rows), "copies")


def copy_of(pixels: np.ndarray, turned: bool) -> Image.Image:
    """One copy: uint8 ``[H, W, 1 or 3]``, turned about its centre or shifted right and down, of the same size."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if turned:
        return image.rotate(DEGREES, Image.Resampling.BILINEAR)
    right, down = round(SHIFT * image.width), round(SHIFT * image.height)
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, -right, 0, 1, -down))


def _judge(plan: Plan, folder: Path, progress: Progress | None) -> tuple[list[int], list[Added], list[Counted]]:
    """The seeds of which all arms are done; over them, what the habits add, and the counts of every arm."""
    done = [(job.arm, job.seed) for job in plan.jobs if finished(folder, job) is not None]
    seeds = [seed for seed in plan.experiment.seeds if all((arm, seed) in done for arm in ARMS)]
    if not seeds:
        raise DrifaError(f"{folder} has no seed of which all of {', '.join(ARMS)} are done; see why jobs failed, and run again")
    runs = {arm: [Run.open(run_folder(folder, f"{arm}-s{seed}")) for seed in seeds] for arm in ARMS}
    answers = {arm: [read_answers([run.folder]) for run in runs[arm]] for arm in ARMS}
    added = []
    for task in classes_of(runs[CLEAN][0]):
        own = {arm: [one[task] for one in answers[arm]] for arm in ARMS}
        draws = {arm: drawn(own[arm]) for arm in ARMS}
        for arm in ARMS:
            told = differences(own[arm], own[CLEAN], draws[arm], draws[CLEAN], COMPARED)
            for metric in COMPARED:
                shown = float(np.mean([_validation(run, task) for run in runs[arm]])) if metric == "accuracy" else None
                difference, groups = told[metric]
                added.append(Added(arm, task, metric, difference, draws[arm][metric][0], shown, groups))
    return seeds, added, _counts({arm: [count_run(run, progress) for run in own] for arm, own in runs.items()})


def _validation(run: Run, task: str) -> float:
    """Accuracy on the validation part in the epoch whose weights were kept, mean over members."""
    histories = [pd.read_csv(path) for path in sorted(run.folder.glob("members/*/history.csv"))]
    return float(np.mean([rows[f"val_accuracy/{task}"].iloc[rows["val_loss"].argmin()] for rows in histories]))


def _counts(each: dict[str, list[list[Counted]]]) -> list[Counted]:
    """Counts of the clean arm under every switch, of the habits counted soundly, and of all together, means over seeds."""
    values: dict[tuple[str, tuple[str, ...], str], list[float]] = defaultdict(list)
    for arm, runs in each.items():
        habits = () if arm == CLEAN else tuple(arm.split("+"))
        for one in (one for run in runs for one in run):
            if arm == CLEAN or not one.switches or (arm == BOTH and len(one.switches) == len(SWITCHES)):
                values[one.task, (*habits, *one.switches), one.metric].append(one.value)
    means = {key: float(np.mean(own)) for key, own in values.items()}
    return [
        Counted(task, metric, switches, mean, 100 * (mean - means[task, (), metric]))
        for (task, switches, metric), mean in means.items()
    ]


def markdown(added: Sequence[Added], counts: Sequence[Counted], sizes: dict[str, int], seeds: int) -> str:
    """What was trained, what the habits add with intervals, and the counts under every switch."""
    lines = [
        "# The released code's habits, in training and in counting",
        "",
        f"Each arm trains on {sizes['train']} subjects, validates on {sizes['val']} (copies: {sizes['copies']}) and answers "
        f"the same {sizes['test']} of the test split, of which {sizes['exposed']} have siblings that `siblings` trains on. "
        f"Networks per arm: {seeds}.",
        "",
        *(f"- **{habit}**: {says}" for habit, says in HABITS.items()),
        "",
        f"In percent, means over seeds; behind each value the points against `{CLEAN}`, with 95 % intervals over the groups of "
        f"the test set. `validation` is the accuracy that the arm's own validation part shows.",
        "",
        *([STARRED, ""] if any(star(one.groups) for one in added if one.arm != CLEAN) else []),
        f"| task | arm | validation | {' | '.join(COMPARED)} |",
        "|---|---|---|" + "---|" * len(COMPARED),
    ]
    by_place = {(one.task, one.arm, one.metric): one for one in added}
    for task, arm in dict.fromkeys((one.task, one.arm) for one in added):
        own = [by_place[task, arm, metric] for metric in COMPARED]
        cells = [
            f"{100 * one.value:.1f}" + ("" if arm == CLEAN else f" ({difference_text(one.difference)}{star(one.groups)})")
            for one in own
        ]
        shown = own[0].validation
        lines.append(f"| {task} | {arm} | {'–' if shown is None else f'{100 * shown:.1f}'} | {' | '.join(cells)} |")
    lines += ["", *(f"- **{switch}**: {says}" for switch, says in SWITCHES.items()), *counting(counts)]
    return "\n".join(lines) + "\n"
