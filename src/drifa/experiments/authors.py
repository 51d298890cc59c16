"""The released code's way of counting, switch by switch, on one run that was trained and judged soundly.

What each adds shows how far numbers move without a better network. What is a matter of training is in
:mod:`drifa.experiments.authors_training`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.errors import DrifaError
from drifa.evaluation.evaluate import evaluate
from drifa.files import write_json, write_text
from drifa.progress import Progress
from drifa.runs.files import MAIN_CONDITIONS
from drifa.runs.run import Run

FORMAT = 1
METRICS = ("accuracy", "precision", "recall", "f1")
#: Switch -> what the released code does.
SWITCHES = {
    "threshold": "a class counts where its probability is 0.5 or more, instead of the most probable one",
    "swapped": "truth and answer are exchanged, so that precision is called recall, and recall precision",
    "tiled": "the shorter test set is repeated, then drawn from at random, to the length of the longest",
    "dropout": "dropout stays on: one random pass, with one partner",
}
DRAWS = 200


@dataclass(frozen=True)
class Counted:
    """One metric under some switches.

    Attributes:
        task, metric: Which.
        switches: Those that are on.
        value: Share, mean over members (and over the draws of ``tiled``).
        added: Against no switch, points.
    """

    task: str
    metric: str
    switches: tuple[str, ...]
    value: float
    added: float


def counted(
    labels: np.ndarray,
    probabilities: np.ndarray,
    threshold: bool = False,
    swapped: bool = False,
    rows: np.ndarray | None = None,
) -> dict[str, float]:
    """Accuracy, and macro precision, recall and F1, as the released code counts them.

    Args:
        labels: Class indices. ``[N]``
        probabilities: Of the classes. ``[N, C]``
        threshold: Take all classes of 0.5 and more, possibly none.
        swapped: Exchange truth and answer.
        rows: Images to count, some perhaps repeatedly; None for all once. ``[M]``

    Returns:
        The metrics named in ``METRICS``; accuracy is the share of images whose answer is the truth and nothing else.
    """
    if rows is not None:
        labels, probabilities = labels[rows], probabilities[rows]
    one_of = np.eye(probabilities.shape[1], dtype=bool)
    truth, answer = one_of[labels], probabilities >= 0.5 if threshold else one_of[probabilities.argmax(axis=1)]
    hits, called, support = (truth & answer).sum(axis=0), answer.sum(axis=0), truth.sum(axis=0)
    occurs = called + support > 0
    precision, recall = (np.where(size > 0, hits / np.maximum(size, 1), 0.0) for size in (called, support))
    f1 = 2 * hits / np.maximum(called + support, 1)
    macro = {"precision": precision, "recall": recall}
    if swapped:
        macro = {"precision": recall, "recall": precision}
    means = {name: float(values[occurs].mean()) for name, values in {**macro, "f1": f1}.items()}
    return {"accuracy": float((truth == answer).all(axis=1).mean()), **means}


def tiles(count: int, length: int, random: np.random.Generator) -> np.ndarray:
    """Rows of a test set that is repeated whole, then drawn from without replacement, to a length: int64 ``[length]``."""
    return random.permutation(np.tile(np.arange(count), -(-length // count)))[:length]


def authors(folder: str | Path, progress: Progress | None = None) -> list[Counted]:
    """Counts a run's test split under no switch, each alone, and all together; writes `authors.json` and `authors.md`.

    Args:
        folder: A run that answers with classes.
        progress: As in :func:`drifa.evaluation.evaluate.evaluate`.

    Raises:
        DrifaError: It is no run, or has no task of classes.
    """
    run = Run.open(folder)
    found = count_run(run, progress)
    write_json(run.folder / "authors.json", {"drifa_authors": FORMAT, "counted": [asdict(one) for one in found]})
    write_text(run.folder / "authors.md", markdown(found))
    return found


def classes_of(run: Run) -> dict[str, list[str]]:
    """Task -> its classes, of the tasks that are answered with classes."""
    classes = {name: list(told["classes"]) for name, told in run.info.tasks.items() if told.get("kind") == "classes"}
    if run.info.reads == "pixels" or not classes:
        raise DrifaError(f"{run.folder} has no task of classes, whose answers could be counted otherwise; give a run that has")
    return classes


def count_run(run: Run, progress: Progress | None = None) -> list[Counted]:
    """The same, and nothing is written; arguments and errors as in :func:`authors`."""
    classes = classes_of(run)
    with tempfile.TemporaryDirectory() as kept:
        evaluate(run.folder, out=kept, settings={"passes": 1, "tta": []}, progress=progress)
        return count_all(pd.read_parquet(Path(kept) / "predictions.parquet"), classes)


def count_all(table: pd.DataFrame, classes: Mapping[str, list[str]]) -> list[Counted]:
    """The same from a table of predictions with one pass of dropout.

    Args:
        table: As in `predictions.parquet`.
        classes: Task -> its classes, in the order of the probabilities.
    """
    table = table[table["condition"].isin(MAIN_CONDITIONS) & table["label"].notna()]
    lengths = {task: table.loc[table["task"] == task, "subject"].nunique() for task in classes}
    found = []
    for task, names in classes.items():
        own = table[table["task"] == task]
        if own.empty:
            continue
        sound = _values(own, names, (), max(lengths.values()))
        for switches in ((), *((switch,) for switch in SWITCHES), tuple(SWITCHES)):
            values = _values(own, names, switches, max(lengths.values()))
            found += [Counted(task, name, switches, values[name], 100 * (values[name] - sound[name])) for name in METRICS]
    return found


def _values(table: pd.DataFrame, names: list[str], switches: tuple[str, ...], length: int) -> dict[str, float]:
    number = {name: place for place, name in enumerate(names)}
    each = []
    for _, rows in table[table["mode"] == ("mc" if "dropout" in switches else "deterministic")].groupby("member"):
        labels, probabilities = rows["label"].map(number).to_numpy(dtype=np.int64), np.stack(list(rows["probabilities"]))
        random = np.random.default_rng(0)
        repeated = "tiled" in switches and len(labels) < length
        drawn: list[Any] = [tiles(len(labels), length, random) for _ in range(DRAWS)] if repeated else [None]
        each += [counted(labels, probabilities, "threshold" in switches, "swapped" in switches, rows) for rows in drawn]
    return {name: float(np.mean([one[name] for one in each])) for name in METRICS}


def markdown(found: list[Counted]) -> str:
    """A table per task: each switch, its metrics in percent, and the points that it adds."""
    lines = ["# The released code's way of counting, on one run", ""]
    lines += [f"- **{switch}**: {says}" for switch, says in SWITCHES.items()]
    lines += [*counting(found), "", "What is a matter of training is not in it: `drifa reproduce authors CONFIG`."]
    return "\n".join(lines) + "\n"


def counting(found: Sequence[Counted]) -> list[str]:
    """The tables themselves, as lines."""
    lines = ["", "In percent, with the points added; means over networks, and over 200 draws where the test set is repeated."]
    most = max(len(one.switches) for one in found)
    for task in dict.fromkeys(one.task for one in found):
        lines += ["", f"## {task}", "", f"| counted | {' | '.join(METRICS)} |", "|---|" + "---|" * len(METRICS)]
        for switches in dict.fromkeys(one.switches for one in found):
            own = {one.metric: one for one in found if (one.task, one.switches) == (task, switches)}
            cells = [f"{100 * own[name].value:.1f} ({own[name].added:+.1f})" for name in METRICS]
            told = "all together" if len(switches) == most else " + ".join(switches) or "soundly"
            lines.append(f"| {told} | {' | '.join(cells)} |")
    return lines
