"""From samples (subject indices) to batches of images, targets and the presence mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from drifa.data.sampling.batch import Batch, Shown
from drifa.data.sampling.pairing import gather
from drifa.data.study.subjects import Subjects
from drifa.errors import DrifaError


class ImageSource(Protocol):
    """Anything that gives images by row, or their maps: the cache of a study, or images read for one prediction."""

    def read(self, modality: str, rows: np.ndarray) -> Shown:
        """uint8 ``[n, C, H, W]``, or maps; zeros where a row is -1."""
        ...


def answerable(task_modalities: Mapping[str, Sequence[str]], subjects: Subjects) -> np.ndarray:
    """bool ``[t, m]``: which modalities can answer which task."""
    return np.array([[name in task_modalities[task] for name in subjects.modalities] for task in subjects.tasks])


def make_batch(source: ImageSource, subjects: Subjects, samples: np.ndarray, keep: np.ndarray | None = None) -> Batch:
    """Reads the images of some samples.

    Args:
        source: Where the images are.
        subjects: What the samples index.
        samples: ``[B, components]``, see :mod:`drifa.data.sampling.pairing`.
        keep: bool ``[B, m]``; False hides a modality although the subject has it.
    """
    found = gather(subjects, samples)
    present = found.present if keep is None else found.present & keep
    rows = np.where(present, found.image, -1)
    return Batch(
        images={name: source.read(name, rows[:, i]) for i, name in enumerate(subjects.modalities)},
        present=torch.from_numpy(present),
        targets={task: _tensor(values) for task, values in found.targets.items()},
        known=torch.from_numpy(found.known),
    )


def _tensor(values: np.ndarray) -> Tensor:
    # Not every device computes in double precision.
    return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float64 else values)


class TrainBatches:
    """The batches of one training epoch: a pure function of (seed, epoch), so that a resumed run sees the same ones.

    Args:
        source: Where the images are.
        subjects: All subjects of the study.
        samples: Epoch number -> samples ``[L, components]``.
        epoch: Called at the start of each pass for the epoch number.
        batch_size: Samples per batch.
        seed: Of modality dropout and augmentation.
        answers: bool ``[t, m]`` from :func:`answerable`.
        modality_dropout: Probability that a modality is hidden from a sample; one always stays.
        rank: Which of ``world`` processes this is; each takes its share of every epoch.
        world: Number of processes.
    """

    def __init__(
        self,
        source: ImageSource,
        subjects: Subjects,
        samples: Callable[[int], np.ndarray],
        epoch: Callable[[], int],
        batch_size: int,
        seed: int,
        answers: np.ndarray,
        modality_dropout: float = 0.0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.source, self.subjects, self.samples, self.epoch = source, subjects, samples, epoch
        self.batch_size, self.seed, self.answers, self.modality_dropout = batch_size, seed, answers, modality_dropout
        self.rank, self.world = rank, world
        share = fair_share(len(samples(0)), world)
        # A last batch of one sample would break BatchNorm at 1x1 maps, and DDP needs equal counts: short tails are left
        # out of the epoch (the permutation is drawn anew each time, so no subject is left out for good).
        self.count = max(1, share // batch_size + (share % batch_size >= max(2, batch_size // 2)))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        samples, size, own = self.samples(epoch), self.batch_size * self.world, slice(self.rank, None, self.world)
        for k in range(self.count):
            # Drawn for the batch of all processes, of which each takes its rows.
            random = np.random.default_rng([self.seed, epoch, k, 0])
            chosen = samples[k * size : (k + 1) * size]
            found = gather(self.subjects, chosen)
            known, keep = torch.from_numpy(found.known), None
            if self.modality_dropout:
                keep = keep_modalities(found.present, self.modality_dropout, random)
                known = known & can_answer(torch.from_numpy(found.present & keep), self.answers)
            batch = make_batch(self.source, self.subjects, chosen[own], None if keep is None else keep[own])
            seed = int(random.integers(2**62, size=self.world)[self.rank])
            yield replace(batch, known=known[own], seed=seed, counts=shares(known, self.rank, self.world))


def fair_share(rows: int, world: int) -> int:
    """Rows of an epoch for each of some processes.

    Raises:
        DrifaError: A process would not have the two rows that BatchNorm needs.
    """
    if world > 1 and rows < 2 * world:
        raise DrifaError(f"an epoch of {rows} samples is too short for {world} processes; lower train.devices or train.nodes")
    return rows // world


def shares(known: Tensor, rank: int, world: int) -> tuple[float, ...]:
    """How much the loss of each task counts in one process, so that the mean over the processes is that of all rows.

    Args:
        known: bool ``[B, t]`` of the rows of all processes, of which each has every ``world``-th.
        rank: Which process.
        world: Of how many.

    Returns:
        One number per task; nothing for a single process.
    """
    if world == 1:
        return ()
    return tuple((world * known[rank::world].sum(0) / known.sum(0).clamp_min(1)).tolist())


def keep_modalities(present: np.ndarray, probability: float, random: np.random.Generator) -> np.ndarray:
    """Hides each modality with the given probability, never the last one that a row has. bool ``[B, m]``"""
    keep = random.random(present.shape) >= probability
    # A random one of those present always stays.
    lucky = np.where(present, random.random(present.shape), -1).argmax(axis=1)
    keep[np.arange(len(present)), lucky] = True
    return keep


class TargetBatches:
    """Batches that judge every target once: what is known of the partners is taken out.

    Args:
        source: Where the images are.
        subjects: What the samples index.
        parts: Pairs of samples ``[N, components]`` and the mask bool ``[t]`` of the tasks that they are judged on.
        batch_size: Samples per batch.
    """

    def __init__(
        self, source: ImageSource, subjects: Subjects, parts: list[tuple[np.ndarray, np.ndarray]], batch_size: int
    ) -> None:
        self.source, self.subjects, self.parts, self.batch_size = source, subjects, parts, batch_size

    def __len__(self) -> int:
        return sum(-(-len(samples) // self.batch_size) for samples, _ in self.parts)

    def __iter__(self) -> Iterator[Batch]:
        for samples, judged in self.parts:
            for start in range(0, len(samples), self.batch_size):
                batch = make_batch(self.source, self.subjects, samples[start : start + self.batch_size])
                yield replace(batch, known=batch.known & torch.from_numpy(judged))


def can_answer(present: Tensor, answers: np.ndarray) -> Tensor:
    """Which samples show anything that can answer which task: bool ``[B, m]`` -> bool ``[B, t]``."""
    return (present[:, None, :] & torch.from_numpy(answers)[None]).any(dim=2)
