"""Whether the model does as well for some as for others: its figure by the values of the study's own columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drifa.metrics.intervals import Interval, mean_interval, percentile_interval
from drifa.metrics.resampling import weightings
from drifa.report import words
from drifa.report.answers import answers_of_all
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.study import telling_columns
from drifa.report.verdicts import FEW_GROUPS
from drifa.runs.files import RunFiles

if TYPE_CHECKING:
    import pandas as pd

#: Upper ends of the bands of a column of numbers, such as an age in years.
BANDS = (20, 40, 60, 80)
#: Values of a column that are told, the most common first.
MOST_VALUES = 12


def record(files: RunFiles) -> dict[str, Any] | None:
    """A table per task and column; None where the study is not there or has no such column."""
    if files.study is None or files.predictions is None:
        return None
    tables = [
        table
        for task in judged_tasks(files, "classes", "number")
        for column in telling_columns(files.study)
        if (table := _table(task, column, files)) is not None
    ]
    return {"tables": tables} if tables else None


def _table(task: JudgedTask, column: str, files: RunFiles) -> dict[str, Any] | None:
    each = _each(task, files)
    if each is None or files.study is None:
        return None
    texts = files.study.table.groupby("subject")[column].first().astype(str).str.strip()
    numbers = texts.map(_number)
    if numbers.notna().sum() and numbers[texts != ""].notna().mean() > 0.9 and numbers.nunique() > MOST_VALUES:
        texts, order = _banded(numbers, texts), [_band(end) for end in (*BANDS, None)]
    else:
        order = []
    value = each["subject"].map(texts).fillna("").replace("", "not known")
    common = [str(name) for name in value.value_counts().index[:MOST_VALUES]]
    shown = [name for name in order if name in common] + [name for name in common if name not in order]
    if len([name for name in shown if name != "not known"]) < 2:
        return None
    rows = [_row(name, each[value == name], task, files) for name in shown]
    return {
        "task": task.name,
        "column": column,
        "metric": "accuracy" if task.kind == "classes" else "mean error",
        "rows": rows,
        "gap": _gap(
            [row for row in rows if not row["few"] and row["value"] != "not known"], each.assign(of=value), task, files
        ),
        "least": FEW_GROUPS,
        "left": int(len(value) - value.isin(shown).sum()),
    }


def _each(task: JudgedTask, files: RunFiles) -> pd.DataFrame | None:
    """Per subject its group and whether it was right, or how far off; the mean over members."""
    table = answers_of_all(task.name, files, "correct" if task.kind == "classes" else "truth")
    if table is None or "group" not in table:
        return None
    if task.kind == "classes":
        table = table.assign(figure=table["correct"].astype(float))
    else:
        table = table.assign(figure=(table["value"] - table["truth"]).abs())
    return table.groupby("subject", as_index=False).agg(group=("group", "first"), figure=("figure", "mean"))


def _row(name: str, part: pd.DataFrame, task: JudgedTask, files: RunFiles) -> dict[str, Any]:
    said = files.evaluation or {}
    interval = mean_interval(
        part["figure"].to_numpy(),
        part["group"].to_numpy(),
        int(said.get("resamples") or 1000),
        seed=int(said.get("seed") or 0),
        rate=task.kind == "classes",
    )
    groups = int(part["group"].nunique())
    style = "share" if task.kind == "classes" else "unit"
    return {
        "value": name,
        "subjects": len(part),
        "groups": groups,
        "few": groups < FEW_GROUPS,
        "figure": interval["value"],
        **words.written_as(style, dict(interval), task.unit),
    }


def _gap(rows: list[dict[str, Any]], each: pd.DataFrame, task: JudgedTask, files: RunFiles) -> dict[str, str] | None:
    """The two values of enough groups that lie farthest apart, and how far; without a size where they do not differ."""
    known = [row for row in rows if row["figure"] is not None]
    if len(known) < 2:
        return None
    low, high = (pick(known, key=lambda row: row["figure"]) for pick in (min, max))
    style = "share" if task.kind == "classes" else "unit"
    if high["figure"] == low["figure"]:
        return {"size": "", "range": "", "high": high["value"], "low": low["value"]}
    told = words.written_as(style, dict(_difference(high["value"], low["value"], each, files)), task.unit)
    size = told["text"].replace("\u00a0%", " percentage points")
    return {"size": size, "range": told["range"], "high": high["value"], "low": low["value"]}


def _difference(high: str, low: str, each: pd.DataFrame, files: RunFiles) -> Interval:
    """The mean of one value minus that of another, with an interval over the groups of both, drawn together."""
    both = each[each["of"].isin([high, low])]
    first, figure = (both["of"] == high).to_numpy(), both["figure"].to_numpy()
    index = np.unique(both["group"].astype(str), return_inverse=True)[1]

    def difference(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # no group of a value was drawn
            means = [(weights[:, part] @ figure[part]) / weights[:, part].sum(axis=1) for part in (first, ~first)]
        return np.asarray(means[0] - means[1])

    said = files.evaluation or {}
    blocks = weightings(index, int(said.get("resamples") or 1000), int(said.get("seed") or 0))
    draws = np.concatenate([difference(weights) for weights in blocks])
    return percentile_interval(float(difference(np.ones((1, len(both))))[0]), draws)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _banded(numbers: pd.Series, texts: pd.Series) -> pd.Series:
    ends = np.searchsorted(BANDS, numbers.to_numpy(), side="right")
    names = [_band(end) for end in (*BANDS, None)]
    return texts.where(numbers.isna(), [names[end] for end in ends]).where(numbers.notna(), "")


def _band(end: int | None) -> str:
    if end is None:
        return f"{BANDS[-1]} and over"
    place = BANDS.index(end)
    return f"under {end}" if place == 0 else f"{BANDS[place - 1]} to under {end}"
