"""What an evaluation says of itself: the content of `evaluation.json`, the same for every kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

from drifa.config import EvaluateConfig
from drifa.errors import DrifaError
from drifa.files import atomic_path, digest, json_text, named

FORMAT = 2
#: Format 1 had no kind of a task, and told less of segmentation; all that it says still holds.
READABLE = (1, 2)


@dataclass(frozen=True)
class Evaluation:
    """How a run was judged, and the details behind its metrics.

    Attributes:
        split: ``test``, ``val``, ``train`` or ``all``.
        study: Name of the study.
        subjects: How many were judged.
        members: Number of networks.
        passes: Monte-Carlo dropout passes.
        partners: Training partners per image; 0 where there were none to draw.
        resamples: Of the bootstrap.
        seed: Of partners, dropout masks and bootstrap.
        tasks: Task -> ``kind``, ``count``, ``groups``, ``modalities``, and what its kind adds (tables, curves).
        subsets: Task -> subset of the modalities -> metrics; empty where nobody asked.
        tta: The kinds of view that answers are means of; empty for the image as it is.
        files: Name of each file beside it -> sha256 of its content. Written last, it tells which files are of one evaluation.
    """

    split: str
    study: str
    subjects: int
    members: int
    passes: int
    partners: int
    resamples: int
    seed: int
    tta: Sequence[str]
    tasks: Mapping[str, Any]
    subsets: Mapping[str, Any]
    files: Mapping[str, str]

    @classmethod
    def of(
        cls,
        settings: EvaluateConfig,
        *,
        split: str,
        study: str,
        subjects: int,
        members: int,
        tasks: Mapping[str, Any],
        subsets: Mapping[str, Any],
        partners: int = 0,
    ) -> Self:
        """One that was made under the settings of a run, before its files are."""
        return cls(
            split=split,
            study=study,
            subjects=subjects,
            members=members,
            passes=settings.passes,
            partners=partners,
            resamples=settings.resamples,
            seed=settings.seed,
            tta=list(settings.tta),
            tasks=tasks,
            subsets=subsets,
            files={},
        )

    def save(self, folder: Path, metrics: Mapping[str, Any], table: pd.DataFrame, name: str) -> None:
        """Puts an evaluation in place when all of it is whole: what was there before outlives a full disk.

        Args:
            folder: Of the evaluation.
            metrics: Content of `metrics.json`.
            table: The answers.
            name: Of their file, Parquet or CSV.
        """
        # The inner ones are put in place first, and the record last.
        with (
            atomic_path(folder / "evaluation.json") as record,
            atomic_path(folder / name) as answers,
            atomic_path(folder / "metrics.json") as figures,
        ):
            figures.write_bytes(json_text(metrics).encode())
            with named(folder / name):
                if name.endswith(".csv"):
                    table.to_csv(answers, index=False)
                else:
                    table.to_parquet(answers, index=False)
            files = {"metrics.json": digest(figures), name: digest(answers)}
            record.write_bytes(json_text(replace(self, files=files).to_json()).encode())

    def to_json(self) -> dict[str, Any]:
        """Plain data; the format number comes first."""
        return {"drifa_evaluation": FORMAT, **vars(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], place: str = "evaluation.json") -> Self:
        """Reads what :meth:`to_json` gave; what format 1 did not say is 0 or empty.

        Raises:
            DrifaError: Another format wrote it.
        """
        if value.get("drifa_evaluation") not in READABLE:
            raise DrifaError(
                f"{place} has evaluation format {value.get('drifa_evaluation')!r}; this drifa reads up to {FORMAT}: "
                f"run `drifa evaluate RUN` again"
            )
        numbers = {key: value.get(key, 0) for key in ("subjects", "members", "passes", "partners", "resamples", "seed")}
        return cls(
            split=value["split"],
            study=value["study"],
            tta=value.get("tta", ()),
            tasks=value.get("tasks", {}),
            subsets=value.get("subsets", {}),
            files=value.get("files", {}),
            **numbers,
        )
