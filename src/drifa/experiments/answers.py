"""The answers of finished jobs, case by case: what all intervals and differences of an experiment are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from drifa.errors import DrifaError
from drifa.files import digest, read_json
from drifa.metrics.names import VOLUME_METRICS
from drifa.metrics.resampling import Measured
from drifa.metrics.weighted import Floats, ratio
from drifa.runs.files import MAIN_CONDITIONS
from drifa.runs.run import Run
from drifa.tasks import SubjectKind, kinds_from


@dataclass(frozen=True)
class Answers:
    """One network's answers to one task on the test split, or those of one network per fold together.

    Attributes:
        cases: Subjects, sorted. ``[N]``
        groups: Of each. ``[N]``
        rows: What was answered, in the order of the cases; its columns depend on the kind.
        measured: Ready to be judged.
        classes: In the order of the probabilities; empty for other kinds.
        unit: Of numbers; empty for other kinds.
        kind: Of the task, if it is one of subjects; None for volumes.
    """

    cases: np.ndarray
    groups: np.ndarray
    rows: pd.DataFrame
    measured: Measured
    classes: tuple[str, ...] = ()
    unit: str = ""
    kind: SubjectKind | None = None

    def judged(self, rows: pd.DataFrame) -> Measured:
        """Rows of this task, of whichever network, ready to be judged."""
        return _judged(rows, self.kind)

    def at(self, chosen: np.ndarray) -> Self:
        """Those of some cases only: bool ``[N]``."""
        rows = self.rows[chosen].reset_index(drop=True)
        return replace(self, cases=self.cases[chosen], groups=self.groups[chosen], rows=rows, measured=self.judged(rows))


class CaseMeans:
    """Metrics that are means over cases, such as Dice; :class:`drifa.metrics.resampling.Measured`.

    Args:
        values: Metric -> one number per case, NaN where undefined. ``[N]``
    """

    def __init__(self, values: Mapping[str, np.ndarray]) -> None:
        self.values = {name: np.asarray(numbers, dtype=np.float64) for name, numbers in values.items()}

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Weighted means over the cases where the metric is defined, [R, N] -> each [R]."""
        known = {name: ~np.isnan(numbers) for name, numbers in self.values.items()}
        return {
            name: ratio(weights[:, known[name]] @ numbers[known[name]], weights[:, known[name]].sum(axis=1))
            for name, numbers in self.values.items()
        }


class MeanOverTasks:
    """One metric averaged over several tasks, whose rows stand one task behind the other; likewise ``Measured``."""

    def __init__(self, parts: Sequence[Measured]) -> None:
        self.parts = list(parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """The mean over tasks of every metric that all of them have, [R, N] -> each [R]; NaN where one is undefined."""
        ends = np.cumsum([len(part) for part in self.parts])[:-1]
        each = [_where_drawn(part, own) for part, own in zip(self.parts, np.split(weights, ends, axis=1), strict=True)]
        shared = [name for name in each[0] if all(name in one for one in each)]
        return {name: np.mean([one[name] for one in each], axis=0) for name in shared}


def _where_drawn(part: Measured, weights: Floats) -> dict[str, Floats]:
    """Metrics of a task, NaN in the resamples that drew no case of it: a small test set has some."""
    drawn = weights.any(axis=1)
    if drawn.all():
        return part.measure(weights)
    found = {}
    for name, values in part.measure(weights[drawn] if drawn.any() else np.ones((1, weights.shape[1]))).items():
        found[name] = np.full(len(weights), np.nan)
        found[name][drawn] = values[: drawn.sum()]
    return found


def read_answers(folders: Sequence[Path]) -> dict[str, Answers]:
    """Task -> answers of one arm and seed.

    Args:
        folders: Its run; or its runs, one per fold.

    Raises:
        DrifaError: A file is missing, was changed since, or holds a case twice.
    """
    runs = [Run.open(folder) for folder in folders]
    tables = [_table(run) for run in runs]
    kinds = kinds_from(runs[0].info.tasks)
    found = {}
    for name, kind in kinds.items():
        rows = pd.concat([table[table["task"] == name] for table in tables], ignore_index=True)
        rows = rows.sort_values("subject", kind="stable").reset_index(drop=True)
        if rows.empty:
            continue
        if isinstance(kind, SubjectKind):
            # A table of several tasks has the columns of all of their kinds.
            rows = rows.dropna(axis="columns", how="all")
        own = kind if isinstance(kind, SubjectKind) else None
        measured = _judged(rows, own)
        cases, groups = rows["subject"].astype(str).to_numpy(), rows["group"].astype(str).to_numpy()
        if len(np.unique(cases)) < len(cases):
            raise DrifaError(f"{folders[0]} and its folds judge a case of task {name!r} twice; delete them and train again")
        told = runs[0].info.tasks[name]
        found[name] = Answers(cases, groups, rows, measured, tuple(told.get("classes", ())), told.get("unit", ""), own)
    return found


def _judged(rows: pd.DataFrame, kind: SubjectKind | None) -> Measured:
    if kind is not None:
        return kind.judged_rows(rows)
    return CaseMeans({str(column): rows[column].to_numpy() for column in rows if str(column).split("_")[0] in _FIRST_WORDS})


_FIRST_WORDS = {name.split("_")[0] for name in VOLUME_METRICS}


def _table(run: Run) -> pd.DataFrame:
    """The rows that count: of a single pass, with the headline condition, of cases whose truth is known."""
    evaluation = read_json(run.folder / "evaluation.json") or {}
    name = "volumes.csv" if run.info.reads == "pixels" else "predictions.parquet"
    path = run.folder / name
    if not path.is_file() or digest(path) != evaluation.get("files", {}).get(name):
        raise DrifaError(f"{path} is missing or was changed since it was judged; delete job.json beside it, and run again")
    if run.info.reads == "pixels":
        return _volumes(
            pd.read_csv(path, dtype={"subject": str, "group": str, "task": str}, keep_default_na=False, na_values=[""])
        )
    rows = pd.read_parquet(path)
    rows = rows[(rows["mode"] == "deterministic") & rows["condition"].isin(MAIN_CONDITIONS)]
    known = [rows[column].notna() for column in ("label", "truth") if column in rows]
    return rows[np.logical_or.reduce(known)]


def _volumes(table: pd.DataFrame) -> pd.DataFrame:
    """One row per subject and task: ``dice``, the mean over regions, and METRIC_REGION."""
    rows = table[table["mode"] == "deterministic"]
    names = [name for name in VOLUME_METRICS if name in rows]
    head = ["subject", "group", "task"]
    wide = rows.pivot_table(index=head, columns="region", values=names, aggfunc="mean", dropna=False)
    wide.columns = pd.Index(["_".join(parts) for parts in wide.columns.to_list()])
    wide = wide.dropna(how="all").reset_index()
    means = rows.groupby(head, as_index=False)["dice"].mean()
    return means.merge(wide, on=head)
