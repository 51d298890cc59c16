"""One sentence per task, chosen by rule from its numbers: how good, against what costs nothing, and where it is weakest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from drifa.metrics.intervals import mean_interval
from drifa.metrics.names import metric_words
from drifa.report import words
from drifa.report.answers import answers_of_all
from drifa.report.judged import JudgedTask
from drifa.runs.files import RunFiles

if TYPE_CHECKING:
    import pandas as pd

#: The figure that the sentence tells, by kind; of regions, each one's Dice.
TOLD = {"classes": "accuracy", "number": "mae"}
#: Groups of a class below which its figures are little more than an anecdote.
FEW_GROUPS = 20

Standing = Literal["better", "same", "worse", "unknown"]


class Baseline(NamedTuple):
    """What costs nothing to reach.

    Attributes:
        answer: In words, as ``nv`` or ``the mean of the training set``.
        values: Metric -> its value.
    """

    answer: str
    values: dict[str, float]


class Verdict(NamedTuple):
    """What is told first.

    Attributes:
        standing: Of the model against the baseline.
        sentence: How good, and against what.
        weakest: Where it is worst; empty where nobody can say.
    """

    standing: Standing
    sentence: str
    weakest: str


def baseline(task: JudgedTask) -> Baseline | None:
    """Always answering the most common class of the judged images, or the training set's mean; None if nobody counted."""
    if task.kind == "number":
        floor = task.judged.get("floor") or {}
        known = {name: float(floor[name]) for name in ("mae", "rmse") if isinstance(floor.get(name), int | float)}
        return Baseline("the mean of the training set", {**known, "r2": 0.0}) if known else None
    support = [sum(counts) for counts in task.detail.get("confusion") or []]
    if task.kind != "classes" or len(support) != len(task.classes) or not sum(support):
        return None
    values = {
        "accuracy": max(support) / sum(support),
        "balanced_accuracy": 1 / sum(count > 0 for count in support),
        "auc": 0.5,
        "error_auroc": 0.5,
    }
    return Baseline(task.classes[support.index(max(support))], values)


def verdict(task: JudgedTask, files: RunFiles) -> Verdict | None:
    """The sentence about a task in its most thorough mode; None if it was not measured."""
    if task.kind == "regions":
        return _of_regions(task)
    metric = TOLD[task.kind]
    interval = task.best.get(metric) or {}
    if interval.get("value") is None:
        return None
    least = baseline(task)
    standing = _standing(task, metric, interval, least, files)
    told = words.with_limits(metric_words(metric, task.kind).style, interval, task.unit)
    right = f"Right in {told} of cases" if task.kind == "classes" else f"Off by {told} on average"
    return Verdict(standing, f"{right}{_compared(task, metric, standing, least)}", _weakest(task, files))


def _compared(task: JudgedTask, metric: str, standing: Standing, least: Baseline | None) -> str:
    if least is None:
        return "."
    would = words.written(metric, {"value": least.values.get(metric)}, task.kind, task.unit)["text"]
    reach = f"would be {'right in' if task.kind == 'classes' else 'off by'} {would}"
    if standing == "same":
        return f", which cannot be told apart from always answering {least.answer}, which {reach}."
    if standing == "worse":
        return f", which is worse than always answering {least.answer}, which {reach}."
    return f"; always answering {least.answer} {reach}."


def _standing(task: JudgedTask, metric: str, interval: dict[str, Any], least: Baseline | None, files: RunFiles) -> Standing:
    """Better or worse only where the interval of the difference from the baseline leaves 0 out."""
    floor = least.values.get(metric) if least else None
    if least is None or floor is None:
        return "unknown"
    low, high = interval.get("low"), interval.get("high")
    if task.kind == "classes":
        gain = _gain(answers_of_all(task.name, files), least.answer, files)
        if gain is not None:
            low, high, floor = gain["low"], gain["high"], 0.0
    if low is None or high is None or low <= floor <= high:
        return "same"
    more = low > floor
    return "better" if more == (metric_words(metric, task.kind).better == "higher") else "worse"


def _gain(table: pd.DataFrame | None, answer: str, files: RunFiles) -> dict[str, Any] | None:
    """Share right minus that of one constant answer on the same groups; None where groups were not recorded."""
    if table is None or "group" not in table:
        return None
    known = table[table["label"].notna() & table["correct"].notna()]
    if known.empty:
        return None
    each = known["correct"].astype(float) - (known["label"] == answer)
    evaluation = files.evaluation or {}
    resamples, seed = int(evaluation.get("resamples") or 1000), int(evaluation.get("seed") or 0)
    return dict(mean_interval(each.to_numpy(), known["group"].to_numpy(), resamples, seed=seed))


def _weakest(task: JudgedTask, files: RunFiles) -> str:
    """The class that is found least, with how many images of how many groups say so."""
    if task.kind != "classes":
        return ""
    rows = [row for row in task.detail.get("per_class") or [] if row.get("recall") is not None]
    if len(rows) < 2:
        return ""
    worst = min(rows, key=lambda row: row["recall"])
    groups = groups_of(task.name, files).get(worst["class"])
    of = f"{words.whole(worst['support'])} image{'' if worst['support'] == 1 else 's'}"
    of += f" of {words.whole(groups)} group{'' if groups == 1 else 's'}" if groups else ""
    few = ", too few to judge it" if (groups or worst["support"]) < FEW_GROUPS else ""
    found = words.written("recall", {"value": worst["recall"]})["text"]
    if min(row["recall"] for row in rows) == max(row["recall"] for row in rows):
        return f"Every class is found equally often: {found}."
    return f"Weakest class: {worst['class']}, found in {found} of its {of}{few}."


def groups_of(task: str, files: RunFiles) -> dict[str, int]:
    """Class -> number of groups that its judged images come from; empty where groups were not recorded."""
    table = answers_of_all(task, files)
    if table is None or "group" not in table:
        return {}
    return {str(name): int(count) for name, count in table.groupby("label")["group"].nunique().items()}


def _of_regions(task: JudgedTask) -> Verdict | None:
    found = {region: task.best.get(f"dice_{region}") or {} for region in task.regions}
    found = {region: interval for region, interval in found.items() if interval.get("value") is not None}
    if not found:
        return None
    worst = min(found, key=lambda region: found[region]["value"])
    told = ", ".join(f"{region} {words.with_limits('share', interval, '')}" for region, interval in found.items())
    few = task.count is not None and task.count < FEW_GROUPS
    weakest = f"Weakest region: {worst}." if len(found) > 1 else ""
    return Verdict(
        "unknown",
        f"Overlap (Dice) with the true region: {told}.",
        " ".join(part for part in (weakest, f"Only {task.count} subjects: too few to judge it." if few else "") if part),
    )
