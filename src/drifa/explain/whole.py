"""What `drifa explain` tells of many test cases at once: shares, gates, and the space of the readouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from drifa.data import Subjects
from drifa.data.sampling.batch import Batch
from drifa.explain import figures
from drifa.explain.asked import batch_of, on_device, thinned
from drifa.explain.embedding import NEIGHBOURS, knn_accuracy, readouts, silhouette
from drifa.explain.flat import flat
from drifa.explain.gates import gates
from drifa.explain.modality_space import Alone, alone, fitting, joined, space_of
from drifa.explain.record import EmbeddingRecord, Explanation, ModalityRecord
from drifa.explain.shapley import Shares, cohort, shares
from drifa.networks.gates import Gate, has_gates
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress
from drifa.tasks import Classes, Number

#: Test cases behind figures of the whole, and training cases that neighbours come from; more are thinned out evenly.
MOST_TESTED, MOST_TRAINED = 500, 1000


class Whole:
    """What is told of many cases of a run at once.

    Args:
        predictor: The open run.
        subjects: Of its study.
        source: Where their images are.
        embedding: One of :data:`drifa.explain.flat.EMBEDDINGS`.
        progress: Called with (done, total, what).
    """

    def __init__(
        self, predictor: Predictor, subjects: Subjects, source: Any, embedding: str, progress: Progress | None
    ) -> None:
        self.predictor, self.subjects, self.source = predictor, subjects, source
        self.embedding, self.progress = embedding, progress

    def readouts(self, rows: np.ndarray) -> np.ndarray:
        """Of some subjects, from all that each has: float32 ``[N, D]``."""
        nets = self.predictor.nets
        return np.concatenate([readouts(nets, *on_device(self.predictor, b)) for b in self._batches(rows, "readouts")])

    def added_to(
        self,
        explanation: Explanation,
        wanted: Sequence[str],
        none: Mapping[str, np.ndarray],
        trained: np.ndarray,
        train_points: np.ndarray,
        drawn: dict[str, str],
    ) -> Explanation:
        """Cohort, gates and embedding of the test split, and their figures.

        Args:
            explanation: That of single cases.
            wanted: Tasks.
            none: Task -> its answer from nothing.
            trained: Rows of the training cases that vote.
            train_points: Their readouts.
            drawn: File -> figure; those made here are added.
        """
        predictor, subjects, settings = self.predictor, self.subjects, self.predictor.run.config.evaluate
        tested = thinned(subjects.in_split("test"), MOST_TESTED)
        parts = [shares(predictor, b.tensors, b.present, none) for b in self._batches(tested, "shares of the modalities")]
        points, moving = self.readouts(tested), self._gates(tested)
        told: dict[str, Any] = {}
        spaces: dict[str, EmbeddingRecord] = {}
        drawing = flat(points, self.embedding, settings.seed) if len(points) > 3 else None
        for task in wanted:
            kind, known = predictor.subject_kinds[task], subjects.known_of(task)
            labels = subjects.targets[task]
            number = isinstance(kind, Number)
            outputs = np.where(known, 0 if number else labels, -1)[tested].astype(np.int64)
            every = _joined([part[task] for part in parts])
            told[task] = cohort(every, outputs, subjects.group[tested], settings.resamples, settings.seed, absolute=number)
            rows = {name: tuple(entry.values()) for name, entry in told[task].items() if entry["value"] is not None}
            if rows:
                unit = (
                    f"mean size of the share, {kind.unit}"
                    if isinstance(kind, Number)
                    else "mean share in the true class's probability"
                )
                drawn[f"shares-{task}.svg"] = figures.bars(f"What each modality adds to {task}", rows, unit)
            own, train_own = known[tested], known[trained]
            if not isinstance(kind, Classes) or not own.any() or drawing is None:
                continue
            names = [kind.classes[int(label)] for label in labels[tested][own]]
            answers = _right(every.everything[own], labels[tested][own])
            files = figures.space_files(task, drawing.of(own), [str(i) for i in subjects.ids[tested][own]], names, answers)
            drawn |= files
            spaces[task] = EmbeddingRecord(
                int(own.sum()),
                silhouette(points[own], labels[tested][own]),
                knn_accuracy(train_points[train_own], labels[trained][train_own], points[own], labels[tested][own]),
                NEIGHBOURS,
                **drawing.settings,
                files=tuple(files),
            )
        if moving:
            drawn["gates.svg"] = figures.gate_bars(moving)
        seen = self._by_modality(tested, points, drawn)
        return replace(
            explanation, cohort=told, cohort_cases=len(tested), gates=tuple(moving), embedding=spaces, by_modality=seen
        )

    def _by_modality(self, tested: np.ndarray, joint: np.ndarray, drawn: dict[str, str]) -> ModalityRecord | None:
        """The space by what the network sees, of as many of the cases as can be drawn; None where there is but one modality."""
        present = self.subjects.present[tested]
        if present.any(axis=0).sum() < 2:
            return None
        chosen = fitting(present)
        shown = tested[chosen]
        parts: list[Alone] = []
        first = 0
        for batch in self._batches(shown, "readouts by modality"):
            parts.append(alone(self.predictor.nets, *on_device(self.predictor, batch), first))
            first += len(batch.present)
        found = space_of(joined(parts), present[chosen], joint[chosen], self.subjects.modalities)
        if found is None:
            return None
        drawing = flat(found.points, self.embedding, self.predictor.run.config.evaluate.seed)
        names = [str(name) for name in self.subjects.ids[shown][found.cases]]
        files = figures.modality_files(drawing, names, found.seen)
        drawn |= files
        return ModalityRecord(
            len(chosen),
            found.counts,
            found.silhouette,
            found.alike,
            found.by_chance,
            NEIGHBOURS,
            **drawing.settings,
            files=tuple(files),
        )

    def _gates(self, rows: np.ndarray) -> list[Gate]:
        net = self.predictor.nets[0]
        if not has_gates(net):
            return []
        return gates(net, (on_device(self.predictor, b) for b in self._batches(rows, "gates")))

    def _batches(self, rows: np.ndarray, what: str) -> Iterator[Batch]:
        size = self.predictor.run.config.evaluate.batch_size
        for start in range(0, len(rows), size):
            yield batch_of(self.subjects, self.source, rows[start : start + size])
            if self.progress:
                self.progress(min(start + size, len(rows)), len(rows), what)


def _joined(parts: Sequence[Shares]) -> Shares:
    everything, values, pairs = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("everything", "values", "pairs")
    )
    return replace(parts[0], everything=everything, values=values, pairs=pairs)


def _right(outputs: np.ndarray, labels: np.ndarray) -> list[str]:
    """Whether each answer, of probabilities ``[N, C]``, is its label; NaN where the task could not be answered."""
    known = np.isfinite(outputs).all(axis=1)
    right = np.where(known, np.nan_to_num(outputs).argmax(axis=1) == labels, False)
    return [("right" if ok else "wrong") if there else "no answer" for ok, there in zip(right, known, strict=True)]
