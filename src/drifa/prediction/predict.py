"""drifa predict: answers with uncertainty for new images, for any subset of the modalities."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from drifa.data import Subjects, components, read_image, resize
from drifa.data.sampling.pairing import draw_partners, subject_components
from drifa.data.tabular import TabularEncoder, WithColumns
from drifa.errors import DrifaError, suggest
from drifa.evaluation.external import TwoSources
from drifa.runs.run import Run
from drifa.text_tables import read_table
from drifa.uncertainty.draws import draw
from drifa.uncertainty.modes import flip_rates, modes


@dataclass(frozen=True)
class Case:
    """One subject to predict: modality -> image file, and column -> value for the tabular modalities."""

    subject: str
    images: Mapping[str, Path]
    values: Mapping[str, str] = field(default_factory=dict)


class FileImages:
    """Images of the cases, read once; row numbers count cases."""

    def __init__(self, cases: Sequence[Case], channels: Mapping[str, int], size: int) -> None:
        self.pixels = {
            (name, row): torch.from_numpy(resize(read_image(path, channels[name]), size).copy()).permute(2, 0, 1)
            for row, case in enumerate(cases)
            for name, path in case.images.items()
        }
        self.channels, self.size = channels, size

    def read(self, modality: str, rows: np.ndarray) -> Tensor:
        """uint8 ``[n, C, H, W]``; zeros where a row is -1."""
        blank = torch.zeros(self.channels[modality], self.size, self.size, dtype=torch.uint8)
        return torch.stack([self.pixels.get((modality, int(row)), blank) for row in rows])


def predict(folder: str | Path, cases: Sequence[Case], partners: bool = True) -> dict[str, Any]:
    """Predicts every task that the images of a case can answer.

    Args:
        folder: The run.
        cases: What to predict.
        partners: In a run trained on unpaired modalities, fill the absent ones with K training images and average, as in
            the headline numbers of the evaluation; without the training images, or with False, they stay absent.

    Returns:
        ``run``, ``mode``, ``note`` and ``cases``: per case the subject, its images, the ``condition``, and per task the
        predicted class, probabilities, confidence, predictive entropy and mutual information (nats), standard deviation, and
        the share of partners that would flip the answer.

    Raises:
        DrifaError: If there is no case, an image cannot be read, or a modality is unknown.
    """
    run = Run.open(folder)
    channels = run.info["modalities"]
    if run.segments:
        raise DrifaError(f"{run.folder} segments volumes; name a folder for the masks with --out FOLDER")
    if not cases:
        raise DrifaError("no image to predict; give --image MODALITY=PATH or --table FILE")
    for case in cases:
        for name in case.images:
            if name not in channels:
                raise DrifaError(
                    f"modality {name!r} of subject {case.subject!r} is not one of this run{suggest(name, channels)}"
                )
    encoders = run.encoders
    check_values(cases, encoders)
    for case in cases:
        if not _given(case, encoders):
            raise DrifaError(f"subject {case.subject!r} has neither an image nor a value; give --image or --value")
    files: Any = FileImages(cases, channels, run.info["image_size"])
    if encoders:
        files = _with_values(files, cases, encoders)
    nets = run.networks()
    settings = run.config.evaluate
    given = np.array([[row if name in _given(case, encoders) else -1 for name in channels] for row, case in enumerate(cases)])
    pool, source, note = _partner_pool(run, files) if partners and run.info["components"] > 1 else (None, files, "")
    offset = 0 if pool is None else len(pool[1].table)
    answers: list[dict[str, Any]] = []
    mode = ""
    for case, images in zip(cases, given, strict=True):
        rows, condition = _fill(np.where(images >= 0, images + offset, -1), case, run, pool)

        def fetch(chosen: np.ndarray) -> dict[str, Any]:
            batch = {name: source.read(name, chosen[:, i]) for i, name in enumerate(channels)}
            return {"images": batch, "present": torch.from_numpy(chosen >= 0)}

        seeds = torch.tensor([_seed(settings.seed, case.subject)])
        members = [draw(net, fetch, rows[None], seeds, settings.passes, 1) for net in nets]
        tasks = {}
        for task, classes in run.info["tasks"].items():
            if not any(name in _given(case, encoders) for name in run.info["task_modalities"][task]):
                continue
            draws = [member[task] for member in members]
            mode, summaries = list(modes(draws).items())[-1]
            summary = next(iter(summaries.values()))
            flips = list(flip_rates(draws).values())
            tasks[task] = {
                "predicted": classes[int(summary.predicted[0])],
                "confidence": float(summary.probabilities[0].max()),
                "probabilities": {name: float(p) for name, p in zip(classes, summary.probabilities[0], strict=True)},
                "predictive_entropy": float(summary.predictive_entropy[0]),
                "mutual_information": None if summary.mutual_information is None else float(summary.mutual_information[0]),
                "std": None if summary.std is None else float(summary.std[0]),
                "flip_rate": float(np.mean([rate[0] for rate in flips[-1].values()])) if flips else None,
            }
        images_used = {name: str(path) for name, path in case.images.items()}
        answers.append({"subject": case.subject, "images": images_used, "condition": condition, "tasks": tasks})
    note = "; ".join(text for text in (note, _unseen(cases, encoders)) if text)
    return {"run": str(run.folder), "mode": mode, "note": note, "cases": answers}


def check_values(cases: Sequence[Case], encoders: Mapping[str, TabularEncoder]) -> None:
    """Refuses values of columns that no tabular modality has."""
    columns = {column.name for encoder in encoders.values() for column in encoder.columns}
    for case in cases:
        for name in case.values:
            if name not in columns:
                known = suggest(name, columns) if columns else " (it has no tabular modality)"
                raise DrifaError(f"column {name!r} of subject {case.subject!r} is not one of this run{known}")


def _unseen(cases: Sequence[Case], encoders: Mapping[str, TabularEncoder]) -> str:
    """Says which values count as missing because training had none like them."""
    columns = [column for encoder in encoders.values() for column in encoder.columns]
    found = [
        f"{column.name}={value!r} of subject {case.subject!r} was never seen in training and counts as missing"
        f"{suggest(value, column.categories)}"
        for case in cases
        for column in columns
        if column.unseen(value := case.values.get(column.name, ""))
    ]
    return (found[0] + (f" [{len(found) - 1} more such values]" if len(found) > 1 else "")) if found else ""


def _given(case: Case, encoders: Mapping[str, TabularEncoder]) -> set[str]:
    """The modalities of which a case has something."""
    told = {name for name, encoder in encoders.items() if any(case.values.get(column.name, "") for column in encoder.columns)}
    return {*case.images, *told}


def _with_values(files: FileImages, cases: Sequence[Case], encoders: Mapping[str, TabularEncoder]) -> WithColumns:
    """The images of the cases and, in the same rows, their encoded values."""
    columns = [column.name for encoder in encoders.values() for column in encoder.columns]
    table = pd.DataFrame([{name: case.values.get(name, "") for name in columns} for case in cases])
    each = {name: WithColumns(files, table.assign(modality=name), {name: encoder}) for name, encoder in encoders.items()}
    first = next(iter(each.values()))
    first.rows = {name: source.rows[name] for name, source in each.items()}
    first.codes = {name: source.codes[name] for name, source in each.items()}
    return first


def _partner_pool(run: Run, files: Any) -> tuple[tuple[Subjects, Any] | None, Any, str]:
    """The training subjects that can stand in for absent modalities, or the reason why there are none."""
    try:
        study = run.study()
        source = TwoSources(run.cache(study), files, len(study.table), set(run.info["modalities"]))
        return (study.subjects(), study), source, ""
    except DrifaError as error:
        return None, files, f"absent modalities stay absent, as the training images cannot be read ({error})"


def _fill(images: np.ndarray, case: Case, run: Run, pool: tuple[Subjects, Any] | None) -> tuple[np.ndarray, str]:
    """K image rows for one case ``[K, m]`` and the condition: ``paired``, ``partial``, ``partners`` or ``alone``."""
    if run.info["components"] == 1:
        return images[None], "paired" if (images >= 0).all() else "partial"
    if pool is None:
        return images[None], "paired" if (images >= 0).all() else "alone"
    subjects = pool[0]
    missing = [part for part in components(subjects) if (images[list(part)] < 0).all()]
    if not missing:
        return images[None], "paired"
    train = subjects.in_split("train")
    parts = components(subjects)
    owners = subject_components(subjects, parts)[train]
    pools = {number: train[owners == number] for number, part in enumerate(parts) if part in missing}
    settings = run.config.evaluate
    rows = np.repeat(images[None], settings.partners, axis=0)
    for number, chosen in draw_partners(case.subject, pools, settings.partners, settings.seed).items():
        columns = list(parts[number])
        rows[:, columns] = subjects.image[chosen][:, columns]
    return rows, "partners"


def _seed(seed: int, subject: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{subject}".encode()).digest()[:4], "little")


def cases_from_table(path: str | Path) -> list[Case]:
    """Cases from a CSV with the columns subject, modality, path (relative paths count from the table's folder).

    Further columns are values for the tabular modalities; one of a subject's rows is enough, and its rows must agree.
    """
    path = Path(path)
    table = read_table(path)
    for column in ("subject", "modality", "path"):
        if column not in table:
            raise DrifaError(f"table {path} has no column {column!r}{suggest(column, table)}; it needs subject, modality, path")
        empty = table.index[table[column] == ""]
        if len(empty):
            raise DrifaError(f"row {empty[0]} of table {path} has no {column}; fill it, or remove the row")
    twice = table.duplicated(["subject", "modality"])
    if twice.any():
        row = table[twice].iloc[0]
        raise DrifaError(
            f"table {path} has two images of modality {row['modality']!r} for subject {row['subject']!r} (row {row.name}); "
            f"keep one, or give the other a subject of its own"
        )
    extra = [name for name in table.columns if name not in ("subject", "modality", "path")]  # for the tabular modalities
    return [
        Case(
            str(subject),
            {row["modality"]: path.parent / row["path"] for row in rows.to_dict("records")},
            {name: _told(path, str(subject), rows[name]) for name in extra},
        )
        for subject, rows in table.groupby("subject", sort=False)
    ]


def _told(path: Path, subject: str, values: pd.Series) -> str:
    """What the rows of a subject say in a column, where some may be empty."""
    told = [value for value in dict.fromkeys(values) if value != ""]
    if len(told) > 1:
        raise DrifaError(
            f"table {path} has {told[0]!r} and {told[1]!r} in the column {values.name!r} of subject {subject!r}; keep one"
        )
    return told[0] if told else ""


def cases_from_arguments(images: Sequence[str], values: Sequence[str] = ()) -> list[Case]:
    """One case from ``MODALITY=PATH`` and ``COLUMN=VALUE`` texts."""
    found: dict[str, Path] = {}
    told: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise DrifaError(f"--value {text!r} must look like COLUMN=VALUE, for example age=45")
        if name in told:
            raise DrifaError(f"--value names column {name!r} twice; give --table for several subjects")
        told[name] = value
    for text in images:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise DrifaError(f"--image {text!r} must look like MODALITY=PATH, for example dermoscopy=photo.jpg")
        if name in found:
            raise DrifaError(f"--image names modality {name!r} twice; give --table for several subjects")
        found[name] = Path(path)
    subject = _subject(*next(iter(found.items()))) if found else "case"
    return [Case(subject, found, told)] if found or told else []


def _subject(modality: str, path: Path) -> str:
    """A file's name without its ending, or, where that is the modality's name, its folder's."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    folder = path.absolute().parent.name
    return folder if stem.lower() == modality.lower() and folder else stem


def as_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """The answers as one row per case and task."""
    rows = []
    for case in result["cases"]:
        for task, answer in case["tasks"].items():
            probabilities = {f"p({name})": p for name, p in answer["probabilities"].items()}
            rest = {key: value for key, value in answer.items() if key != "probabilities"}
            rows.append({"subject": case["subject"], "condition": case["condition"], "task": task, **rest, **probabilities})
    return pd.DataFrame(rows)
