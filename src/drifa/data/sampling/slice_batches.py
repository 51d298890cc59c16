"""From slices of volumes to batches of images, true regions and the presence mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from drifa.data import Study
from drifa.data.cache.volume_cache import VolumeCache
from drifa.data.sampling.batch import Batch
from drifa.data.sampling.image_batches import fair_share, keep_modalities, shares

#: A slice with less of its box in the head than this teaches nothing and is left out of training.
LEAST_BRAIN = 0.01
#: Slices with tumour per slice without, in an epoch.
MARKED_SHARE = 2


class SliceSource:
    """Reads batches of slices of a study.

    Args:
        study: A segmentation study.
        cache: Its slices.
    """

    def __init__(self, study: Study, cache: VolumeCache) -> None:
        self.cache, self.subjects = cache, study.subjects()
        self.modalities, self.tasks = tuple(study.modalities), tuple(study.tasks)

    def batch(self, rows: np.ndarray, keep: np.ndarray | None = None) -> Batch:
        """Slices as float32 ``[B, 1, s, s]`` with their regions, bool ``[B, R, s, s]``.

        Args:
            rows: Positions in the cache's index.
            keep: bool ``[B, m]``; False hides a modality although the subject has it.
        """
        present = self.present(rows) if keep is None else self.present(rows) & keep
        images = {name: self.cache.read(name, np.where(present[:, i], rows, -1)) for i, name in enumerate(self.modalities)}
        return Batch(
            images=images,
            present=torch.from_numpy(present),
            targets={task: self.cache.regions(task, rows) for task in self.tasks},
            known=self.known(rows),
        )

    def present(self, rows: np.ndarray) -> np.ndarray:
        """Which modalities the subjects of slices have: bool ``[B, m]``."""
        return self.subjects.present[self.cache.index.subject[rows]]

    def known(self, rows: np.ndarray) -> Tensor:
        """Which tasks are annotated in slices: bool ``[B, t]``."""
        return torch.from_numpy(np.stack([self.cache.index.marked[task][rows] >= 0 for task in self.tasks], axis=1))

    def rows_of(self, split: str) -> np.ndarray:
        """The annotated slices of a split that show tissue."""
        index = self.cache.index
        annotated = np.any([marked >= 0 for marked in index.marked.values()], axis=0)
        inside = self.subjects.split[index.subject] == split
        return np.flatnonzero(inside & annotated & (index.brain >= LEAST_BRAIN))


class TrainSlices:
    """The batches of one training epoch: every slice with tumour, and half as many without; a function of (seed, epoch).

    Args:
        source: Where the slices are.
        epoch: Called at the start of each pass for the epoch number.
        batch_size: Slices per batch.
        seed: Of sampling, modality dropout and augmentation.
        modality_dropout: Probability that a modality is hidden from a slice; one always stays.
        rank: Which process this is.
        world: Of how many.
    """

    def __init__(
        self,
        source: SliceSource,
        epoch: Callable[[], int],
        batch_size: int,
        seed: int,
        modality_dropout: float = 0.0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.source, self.epoch, self.batch_size, self.seed = source, epoch, batch_size, seed
        self.modality_dropout, self.rank, self.world = modality_dropout, rank, world
        rows = source.rows_of("train")
        marked = np.any([column[rows] == 1 for column in source.cache.index.marked.values()], axis=0)
        self.marked, self.empty = rows[marked], rows[~marked]
        count = len(self.marked) + min(len(self.empty), len(self.marked) // MARKED_SHARE)
        self.count = max(1, fair_share(count, world) // batch_size)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        random = np.random.default_rng([self.seed, epoch])
        empty = random.permutation(self.empty)[: len(self.marked) // MARKED_SHARE]
        rows = random.permutation(np.concatenate([self.marked, empty]))
        size, own = self.batch_size * self.world, slice(self.rank, None, self.world)
        for k in range(self.count):
            # Drawn for the batch of all processes, of which each takes its rows.
            random = np.random.default_rng([self.seed, epoch, k, 0])
            chosen = rows[k * size : (k + 1) * size]
            keep = None
            if self.modality_dropout:
                keep = keep_modalities(self.source.present(chosen), self.modality_dropout, random)[own]
            seed = int(random.integers(2**62, size=self.world)[self.rank])
            counts = shares(self.source.known(chosen), self.rank, self.world)
            yield replace(self.source.batch(chosen[own], keep), seed=seed, counts=counts)


class SplitSlices:
    """Batches of all annotated slices of a split, once each, in order."""

    def __init__(self, source: SliceSource, split: str, batch_size: int, rank: int = 0, world: int = 1) -> None:
        self.source, self.batch_size = source, batch_size
        self.rows = source.rows_of(split)[rank::world]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.rows), self.batch_size):
            yield self.source.batch(self.rows[start : start + self.batch_size])
