"""Answers that go without some of the modalities, of one split of the run's own study: what their calibration is learned of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from drifa.data import Subjects, alone_samples, components
from drifa.data.sampling.batch import Batch
from drifa.data.sampling.image_batches import make_batch
from drifa.data.sampling.pairing import targets_by_component
from drifa.prediction.predictor import Predictor
from drifa.present import answers_task, subset_mask, subsets_of
from drifa.progress import Progress, counted
from drifa.tasks import Classes
from drifa.uncertainty.modes import modes


@dataclass(frozen=True)
class PartialAnswers:
    """Of one task, from some of the modalities alone.

    Attributes:
        subset: Their names, in the run's order.
        task: Which.
        labels: True classes. ``[N]``
        probabilities: In the run's most thorough mode, of the first member where that mode asks each alone. ``[N, C]``
        groups: ``[N]``
    """

    subset: tuple[str, ...]
    task: str
    labels: np.ndarray
    probabilities: np.ndarray
    groups: np.ndarray


def partial_answers(
    predictor: Predictor, split: str, every: bool = False, progress: Progress | None = None
) -> Iterator[PartialAnswers]:
    """Asks about subjects who have all of a subset, and shows no more of them.

    Args:
        predictor: A run that answers about subjects.
        split: Whose.
        every: Every subset of the modalities that one subject can have; else those of which the split has subjects with no
            more, and in an unpaired study all that one subject can have, which are those without a partner.
        progress: Called with (done, total, what).
    """
    study = predictor.run.study()
    subjects = study.subjects()
    chosen = subjects.in_split(split)
    if not len(chosen):
        return
    source = predictor.run.cache(study, progress, predictor.nets)
    for number, targets in targets_by_component(subjects, chosen).items():
        for subset in _subsets(subjects, targets, number, every):
            shown = subset_mask([subset], subjects.modalities)
            rows = targets[subjects.present[targets][:, shown[0].numpy()].all(axis=1)]
            tasks = [
                task
                for task, kind in predictor.subject_kinds.items()
                if isinstance(kind, Classes)
                and answers_task(subset, predictor.run.info.task_modalities[task], predictor.encoders)
                and subjects.known_of(task)[rows].any()
            ]
            if not tasks:
                continue

            def fetch(samples: np.ndarray, shown: Any = shown) -> Batch:
                batch = make_batch(source, subjects, samples)
                return Batch(batch.images, batch.present & shown)

            advance = counted(progress, len(rows), f"asking {'+'.join(subset)} alone")
            members = predictor.draw(fetch, alone_samples(subjects, rows, number), subjects.ids[rows], advance)
            for task in tasks:
                kind, known = predictor.subject_kinds[task], subjects.known_of(task)[rows]
                summary = next(iter(modes([one[task] for one in members], kind.summarise)[predictor.mode].values()))
                truth = subjects.targets[task][rows][known]
                yield PartialAnswers(subset, task, truth, summary.probabilities[known], subjects.group[rows][known])


def _subsets(subjects: Subjects, targets: np.ndarray, number: int, every: bool) -> list[tuple[str, ...]]:
    parts = components(subjects)
    columns = list(parts[number])
    names = tuple(subjects.modalities[column] for column in columns)
    if every:
        found = [subset for subset in subsets_of(names) if subset != names]
    else:
        held = np.unique(subjects.present[targets][:, columns], axis=0)
        found = [
            tuple(name for name, has in zip(names, row, strict=True) if has) for row in held if row.any() and not row.all()
        ]
    return found + [names] * (len(parts) > 1)
