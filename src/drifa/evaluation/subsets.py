"""Which modalities are needed: a classification run judged on every subset of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from drifa.data import Study, Subjects, alone_samples, components
from drifa.data.sampling.image_batches import ImageSource, make_batch
from drifa.data.sampling.pairing import targets_by_component
from drifa.metrics.intervals import bootstrap
from drifa.prediction.predictor import Predictor
from drifa.present import subset_mask, subsets_of
from drifa.progress import Progress
from drifa.uncertainty.summary import summarise


def judge_subsets(
    predictor: Predictor,
    own: Study,
    subjects: Subjects,
    source: ImageSource,
    targets: np.ndarray,
    progress: Progress | None = None,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Metrics of the members' average, dropout off, for every subset of modalities that one subject can have.

    Returns:
        Task -> subset, as ``photo+ultrasound`` -> ``count`` (labelled subjects that have something of it), and metric ->
        ``{value, low, high}``. Subsets that cannot answer a task are left out.
    """
    run = predictor.run
    settings = run.config.evaluate
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for number, chosen in targets_by_component(subjects, targets).items():
        names = [subjects.modalities[i] for i in components(subjects)[number]]
        subsets = subsets_of(names)
        answers = _answers(predictor, subjects, source, chosen, number, subsets, progress)
        for task, probabilities in answers.items():
            column = subjects.tasks.index(task)
            able = set(run.info["task_modalities"][task])
            for subset, values in zip(subsets, probabilities, strict=True):
                labels = subjects.labels[chosen, column]
                known = (labels >= 0) & np.isfinite(values[:, 0])
                if not known.any() or not able & set(subset):
                    continue
                summary = summarise(values[None, known])
                metrics = bootstrap(
                    labels[known],
                    summary.probabilities[None],
                    subjects.group[chosen][known],
                    summary.predictive_entropy[None],
                    resamples=settings.resamples,
                    seed=settings.seed,
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
    """Task -> probabilities averaged over members ``[S, N, classes]``; NaN where a subject has nothing of the subset."""
    samples = alone_samples(subjects, chosen, number)[:, 0]
    mask = subset_mask(subsets, subjects.modalities)
    size = predictor.run.config.evaluate.batch_size
    classes = predictor.nets[0].config["tasks"]
    found = {task: np.full((len(subsets), len(chosen), count), np.nan) for task, count in classes.items()}
    for start in range(0, len(chosen), size):
        rows = slice(start, min(start + size, len(chosen)))
        batch = make_batch(source, subjects, samples[rows])
        each = predictor.over_subsets(batch["images"], batch["present"], mask)  # type: ignore[arg-type]
        for s in range(len(subsets)):
            for task in found:
                given = [answers[task].float().softmax(-1) for one in each if (answers := one[s]) is not None]
                if given:
                    found[task][s, rows] = torch.stack(given).double().mean(dim=0).cpu().numpy()
        if progress:
            progress(rows.stop, len(chosen), f"{len(subsets)} subsets of " + "+".join(subsets[-1]))
    return found
