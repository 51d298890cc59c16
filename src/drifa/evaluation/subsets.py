"""Which modalities are needed: a run that answers about subjects, judged on every subset of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from drifa.data import Subjects, alone_samples, components
from drifa.data.sampling.image_batches import ImageSource, make_batch
from drifa.data.sampling.pairing import targets_by_component
from drifa.metrics.intervals import bootstrap_measured
from drifa.prediction.predictor import Predictor
from drifa.present import answers_task, subset_mask, subsets_of
from drifa.progress import Progress


def judge_subsets(
    predictor: Predictor,
    subjects: Subjects,
    source: ImageSource,
    targets: np.ndarray,
    progress: Progress | None = None,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Metrics of the members' average, dropout off, for every subset of modalities that one subject can have.

    Returns:
        Task -> subset, as ``photo+ultrasound`` -> ``count`` (labelled subjects who have enough of it
        to be asked the task), and metric -> ``{value, low, high}``. Subsets that cannot answer a task are left out.
    """
    run = predictor.run
    settings = run.config.evaluate
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for number, chosen in targets_by_component(subjects, targets).items():
        names = [subjects.modalities[i] for i in components(subjects)[number]]
        subsets = subsets_of(names)
        answers = _answers(predictor, subjects, source, chosen, number, subsets, progress)
        for task, draws in answers.items():
            kind, able = predictor.subject_kinds[task], set(run.info.task_modalities[task])
            truth = subjects.targets[task][chosen]
            for subset, values in zip(subsets, draws, strict=True):
                held = [
                    {name for name, has in zip(subjects.modalities, row, strict=True) if has and name in subset}
                    for row in subjects.present[chosen]
                ]
                asked = np.array([answers_task(own, able, predictor.encoders) for own in held])
                known = subjects.known_of(task)[chosen] & np.isfinite(values[0, :, 0]) & asked
                if not known.any():
                    continue
                measured = kind.measured(kind.summarise(values), truth, known)
                metrics = bootstrap_measured(
                    [measured], subjects.group[chosen][known], resamples=settings.resamples, seed=settings.seed
                )
                found.setdefault(task, {})["+".join(subset)] = {"count": int(known.sum()), **metrics}
    return found


def _answers(
    predictor: Predictor,
    subjects: Subjects,
    source: ImageSource,
    chosen: np.ndarray,
    number: int,
    subsets: Sequence[Sequence[str]],
    progress: Progress | None,
) -> dict[str, np.ndarray]:
    """Task -> answers of every member ``[S, M, N, k]``; NaN where a subject has nothing of the subset."""
    samples = alone_samples(subjects, chosen, number)[:, 0]
    mask = subset_mask(subsets, subjects.modalities)
    size = predictor.run.config.evaluate.batch_size
    shape = (len(subsets), len(predictor.nets), len(chosen))
    found = {task: np.full((*shape, kind.outputs), np.nan) for task, kind in predictor.subject_kinds.items()}
    for start in range(0, len(chosen), size):
        rows = slice(start, min(start + size, len(chosen)))
        batch = make_batch(source, subjects, samples[rows])
        for member, each in enumerate(predictor.over_subsets(batch.images, batch.present, mask)):
            for s, answers in enumerate(each):
                for task, values in (answers or {}).items():
                    found[task][s, member, rows] = values.double().cpu().numpy()
        if progress:
            progress(rows.stop, len(chosen), f"{len(subsets)} subsets of " + "+".join(subsets[-1]))
    return found
