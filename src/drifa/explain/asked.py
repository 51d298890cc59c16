"""What `drifa explain` is asked about: subjects of the run's study, or new images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drifa.data import Study, Subjects, components
from drifa.data.sampling.batch import Batch
from drifa.data.sampling.image_batches import make_batch
from drifa.data.sampling.pairing import NOBODY, subject_components
from drifa.errors import DrifaError, near
from drifa.explain.embedding import Neighbour
from drifa.prediction.asking import shown
from drifa.prediction.cases import Case
from drifa.prediction.given import Picture
from drifa.prediction.predictor import Predictor
from drifa.report.study import is_phantom
from drifa.tasks import Classes, Kind


@dataclass(frozen=True)
class Asked:
    """The cases that are explained one by one: names, what the networks read, modality -> file of each."""

    names: tuple[str, ...]
    batch: Batch
    files: tuple[Mapping[str, Picture], ...]


def chosen_rows(subjects: Subjects, cases: int, subject: str | None) -> np.ndarray:
    """The subject of that id, or so many of the test split."""
    if subject is None:
        test = subjects.in_split("test")
        if not len(test):
            raise DrifaError("the test split of this run is empty; name a subject with --subject ID")
        return thinned(test, cases)
    rows = np.flatnonzero(subjects.ids == subject)
    if not len(rows):
        close = near(subject, map(str, subjects.ids))
        help_ = f"did you mean {' or '.join(map(repr, close))}?" if close else "its ids are those of the column subject"
        raise DrifaError(f"subject {subject!r} is not in the study of this run ({help_})")
    return rows


def shows_patients(files: Iterable[Mapping[str, Picture]], study: Study) -> bool:
    """Whether a picture may be of somebody: every one is, but those in the folder of a phantom."""
    root = study.root.resolve()
    pictures = [one for own in files for one in own.values()]
    return not is_phantom(study) or not all(isinstance(one, Path) and one.resolve().is_relative_to(root) for one in pictures)


def thinned(rows: np.ndarray, most: int) -> np.ndarray:
    """So many of the rows at most, evenly spread."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]


def described(one: Neighbour, subjects: Subjects, kinds: Mapping[str, Kind]) -> Neighbour:
    """A training case with its group, and its truth of every task that it has one of."""
    row = int(np.flatnonzero(subjects.ids == one.subject)[0])
    labels = {
        task: kind.classes[int(subjects.targets[task][row])]
        if isinstance(kind, Classes)
        else f"{float(subjects.targets[task][row]):.4g}"
        for task, kind in kinds.items()
        if subjects.known_of(task)[row]
    }
    return replace(one, group=str(subjects.group[row]), labels=labels)


def batch_of(subjects: Subjects, source: Any, rows: np.ndarray) -> Batch:
    """Subjects as they are, whatever side of an unpaired study they are on."""
    parts = components(subjects)
    samples = np.full((len(rows), len(parts)), NOBODY, dtype=np.int64)
    samples[np.arange(len(rows)), subject_components(subjects, parts)[rows]] = rows
    return make_batch(source, subjects, samples)


def of_study(study: Study, subjects: Subjects, source: Any, rows: np.ndarray) -> Asked:
    """Subjects of the study."""
    return Asked(tuple(map(str, subjects.ids[rows])), batch_of(subjects, source, rows), files_of(study, subjects, rows))


def files_of(study: Study, subjects: Subjects, rows: np.ndarray) -> tuple[dict[str, Path], ...]:
    """Modality -> image of some subjects."""
    pictures = [i for i, name in enumerate(subjects.modalities) if not study.modalities[name].columns]
    return tuple(
        {subjects.modalities[i]: study.image_path(int(subjects.image[row, i])) for i in pictures if subjects.image[row, i] >= 0}
        for row in rows
    )


def of_case(predictor: Predictor, case: Case) -> Asked:
    """New images and values."""
    return Asked((case.subject,), shown(predictor, case), (case.images,))


def on_device(predictor: Predictor, batch: Batch) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Images by modality and the mask, where the networks are."""
    images = {name: image.to(predictor.device) for name, image in batch.images.items() if isinstance(image, torch.Tensor)}
    return images, batch.present.to(predictor.device)
