"""What a predictor says of one case: frozen records, made plain (`to_json`) only where they leave the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from drifa.prediction.cases import Failure
from drifa.tasks.base import CaseWarning
from drifa.tasks.classes import ClassAnswer
from drifa.tasks.number import NumberAnswer
from drifa.tasks.regions import RegionsAnswer

__all__ = ["Answer", "CaseWarning", "ClassAnswer", "Failure", "NumberAnswer", "Prediction", "RegionsAnswer", "as_table"]


@dataclass(frozen=True)
class Answer:
    """All answers for one case.

    Attributes:
        subject: Its name.
        images: Modality -> file.
        condition: ``paired`` (every modality there), ``partial``, ``partners`` (absent ones filled with training images) or
            ``alone``; None for volumes, which are always taken as they are.
        tasks: Task -> answer.
        missing: Modalities that the answers go without: in the conditions ``partial`` and ``alone``, and of volumes.
        warnings: What should be looked at in its images and values.
        note: What the reader should know beside the answer; None for nothing.
    """

    subject: str
    images: Mapping[str, str]
    condition: str | None
    tasks: Mapping[str, ClassAnswer | NumberAnswer | RegionsAnswer]
    missing: tuple[str, ...] = ()
    warnings: tuple[CaseWarning, ...] = ()
    note: str | None = None

    def words(self) -> str:
        """How it was asked, as a person says it; empty for volumes of which none is missing."""
        without = f"without {' and '.join(self.missing)}" if self.missing else None
        return ", ".join(filter(None, [self.condition, without]))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `drifa predict --json` writes it; masks, and what is None, are left out."""
        # Masks are for the program alone, and asdict would copy them.
        bare = {
            task: replace(answer, masks={}) if isinstance(answer, RegionsAnswer) else answer
            for task, answer in self.tasks.items()
        }
        plain = {key: value for key, value in asdict(replace(self, tasks=bare)).items() if value is not None}
        plain["missing"], plain["warnings"] = list(self.missing), list(plain["warnings"])
        for task, answer in plain["tasks"].items():
            for key in ("files", "prediction_set", "warnings"):
                if answer.get(key) is not None:
                    answer[key] = list(answer[key])
            record = self.tasks[task]
            if isinstance(record, ClassAnswer):
                answer["uncertainty"], answer["agreement"] = record.uncertainty, record.agreement
            if isinstance(record, RegionsAnswer):
                del answer["masks"]
                for region in answer["regions"].values():
                    if region["volume_interval"] is not None:
                        region["volume_interval"] = list(region["volume_interval"])
        return plain

    def to_frame(self) -> pd.DataFrame:
        """One row per task."""
        return pd.DataFrame(_rows(self))


@dataclass(frozen=True)
class Prediction:
    """The answers of one run.

    Attributes:
        run: Its folder.
        mode: How the networks were asked, see :data:`drifa.uncertainty.modes.MODES`.
        note: What the reader should know beside the answers; empty for nothing.
        cases: One per case that was answered, in the order of the cases.
        failures: One per case that could not be.
    """

    run: str
    mode: str
    note: str
    cases: tuple[Answer, ...]
    failures: tuple[Failure, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `drifa predict --json` writes it."""
        cases = [case.to_dict() for case in self.cases]
        return {**vars(self), "cases": cases, "failures": [asdict(failure) for failure in self.failures]}


def as_table(result: Prediction) -> pd.DataFrame:
    """The answers as one row per case and task; a case that failed has one row, with the reason in the column `failure`."""
    rows = [row for case in result.cases for row in _rows(case)]
    rows += [{"subject": failure.subject, "failure": failure.words()} for failure in result.failures]
    return pd.DataFrame(rows)


def _rows(case: Answer) -> list[dict[str, Any]]:
    first = {"subject": case.subject, "condition": case.condition}
    last = {"warnings": "; ".join(f"{one.modality}: {one.text}" for one in case.warnings)}
    return [{**first, "task": task, **answer.row(), **last} for task, answer in case.tasks.items()]
