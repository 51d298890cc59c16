"""What a predictor says of one case: frozen records, made plain (`to_json`) only where they leave the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class ClassAnswer:
    """One class of a subject.

    Attributes:
        predicted: The class.
        confidence: Its probability.
        probabilities: Class -> probability.
        predictive_entropy: All uncertainty, nats.
        mutual_information: The part on which the draws disagree, nats; None for a single draw.
        std: Standard deviation over the draws of the probability of the predicted class; None for a single draw.
        flip_rate: Share of the partners with which the answer is another; None without partners.
    """

    predicted: str
    confidence: float
    probabilities: Mapping[str, float]
    predictive_entropy: float
    mutual_information: float | None
    std: float | None
    flip_rate: float | None


@dataclass(frozen=True)
class RegionAnswer:
    """One region of a volume: its size in ml, and the mean entropy (nats) of its voxels, None where it is empty."""

    volume_ml: float
    predictive_entropy: float | None


@dataclass(frozen=True)
class RegionsAnswer:
    """The regions of a volume, and the mask files that hold them."""

    files: tuple[str, ...]
    regions: Mapping[str, RegionAnswer]


@dataclass(frozen=True)
class Answer:
    """All answers for one case.

    Attributes:
        subject: Its name.
        images: Modality -> file.
        condition: ``paired`` (every modality there), ``partial``, ``partners`` (absent ones filled with training images) or
            ``alone``; None for volumes, which are always taken as they are.
        tasks: Task -> answer.
    """

    subject: str
    images: Mapping[str, str]
    condition: str | None
    tasks: Mapping[str, Any]


@dataclass(frozen=True)
class Prediction:
    """The answers of one run.

    Attributes:
        run: Its folder.
        mode: How the networks were asked, see :data:`drifa.uncertainty.modes.MODES`.
        note: What the reader should know beside the answers; empty for nothing.
        cases: One per case, in the order of the cases.
    """

    run: str
    mode: str
    note: str
    cases: tuple[Answer, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `drifa predict --json` writes it."""
        plain = asdict(self)
        plain["cases"] = [{key: value for key, value in case.items() if value is not None} for case in plain["cases"]]
        for case in plain["cases"]:
            for answer in case["tasks"].values():
                if "files" in answer:
                    answer["files"] = list(answer["files"])
        return plain


def as_table(result: Prediction) -> pd.DataFrame:
    """The answers as one row per case and task."""
    rows = []
    for case in result.cases:
        for task, answer in case.tasks.items():
            probabilities = {f"p({name})": p for name, p in answer.probabilities.items()}
            rest = {key: value for key, value in asdict(answer).items() if key != "probabilities"}
            rows.append({"subject": case.subject, "condition": case.condition, "task": task, **rest, **probabilities})
    return pd.DataFrame(rows)
