"""A task as it was judged: its kind, its figures in every mode and the details behind them, for the sections to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drifa.metrics.names import Kind
from drifa.report import figures, words
from drifa.runs.files import RunFiles
from drifa.uncertainty.modes import MODE_NAMES, mode_order, mode_words


@dataclass(frozen=True)
class JudgedTask:
    """What ``metrics.json`` and ``evaluation.json`` say of one task.

    Attributes:
        name: The task.
        kind: What it answers.
        metrics: Mode -> metric -> interval; empty if it was not measured.
        judged: The task's entry in ``evaluation.json``.
        evaluation: ``evaluation.json`` as a whole.
        count: How many images or subjects it was judged on; None if nobody says.
    """

    name: str
    kind: Kind
    metrics: dict[str, Any]
    judged: dict[str, Any]
    evaluation: dict[str, Any]
    count: int | None

    @property
    def modes(self) -> list[str]:
        """The modes that have metrics, the most thorough first."""
        return mode_order(self.metrics)

    @property
    def best(self) -> dict[str, Any]:
        """Metrics of the most thorough mode."""
        return self.metrics[self.modes[0]] if self.metrics else {}

    @property
    def measured(self) -> list[str]:
        """Every metric that any of the modes has."""
        return list(dict.fromkeys(metric for mode in self.modes for metric in self.metrics[mode]))

    @property
    def details(self) -> dict[str, Any]:
        """Mode -> the details behind its metrics, the most thorough first."""
        modes = self.judged.get("modes") or {}
        return {mode: modes[mode] for mode in mode_order(modes)}

    @property
    def detail(self) -> dict[str, Any]:
        """Details of the most thorough mode."""
        return next(iter(self.details.values()), {})

    @property
    def detail_mode(self) -> dict[str, str] | None:
        """The mode that :attr:`detail` is of; None if there are no details."""
        mode = next(iter(self.details), None)
        return self.describe(mode) if mode is not None else None

    @property
    def unit(self) -> str:
        """The unit of a number; empty where it has none."""
        return str(self.judged.get("unit") or "")

    @property
    def classes(self) -> list[str]:
        """The classes of a task of classes, as far as the details name them."""
        return self.judged.get("classes") or [row["class"] for row in self.detail.get("per_class") or []]

    @property
    def regions(self) -> list[str]:
        """The regions of a task of regions that were measured."""
        return [metric.removeprefix("hd95_") for metric in self.best if metric.startswith("hd95_")]

    @property
    def title(self) -> dict[str, str]:
        """Name and size of the task, for a heading."""
        if self.count is None:
            return {"name": self.name, "facts": ""}
        noun = "images" if self.kind == "classes" else "subject" if self.count == 1 else "subjects"
        facts = f"{words.whole(self.count)} {noun}"
        # Volumes are hardly ever grouped; their heading stays short.
        if self.kind != "regions" and self.judged.get("groups"):
            facts += f" of {words.whole(self.judged['groups'])} groups"
        if self.kind == "classes" and self.classes:
            facts += f", {len(self.classes)} classes"
        if self.unit:
            facts += f", in {self.unit}"
        return {"name": self.name, "facts": facts}

    def describe(self, mode: str) -> dict[str, str]:
        """What a mode is called, how its answers came about, and the style of its lines."""
        members, passes = self.evaluation.get("members"), self.evaluation.get("passes")
        return {
            "of_first": mode_words(mode, members, passes, first_only=True),
            "key": mode,
            "name": MODE_NAMES.get(mode, mode),
            "how": mode_words(mode, members, passes),
            "style": figures.mode_style(mode),
        }


def judged_tasks(files: RunFiles, *kinds: Kind) -> list[JudgedTask]:
    """The tasks of some kinds that have metrics or details; of every kind if none is named."""
    metrics, judged = files.metrics or {}, files.judged
    return [
        JudgedTask(name, kind, metrics.get(name, {}), judged.get(name, {}), files.evaluation or {}, _count(files, name))
        for name, kind in files.kinds.items()
        if (name in metrics or name in judged) and (not kinds or kind in kinds)
    ]


def _count(files: RunFiles, task: str) -> int | None:
    told = files.judged.get(task, {}).get("count")
    if told is not None or files.volumes is None:
        return told
    # Evaluations of format 1 did not count the volumes.
    rows = files.volumes[files.volumes["task"] == task]
    return int(rows["subject"].nunique()) if len(rows) else None
