"""Pairing: how subjects that share no patient become the multimodal samples that a fusion network needs.

In a paired study every sample is one subject. In an unpaired one (HAM10000 with SIPaKMeD) a sample joins one subject of each
side. The partner must be arbitrary: drawn anew every epoch in training, fixed in evaluation, its label independent of the
target's. A *sample* is a row of subject indices, one per component of modalities, -1 for nobody.

The paper pairs unrelated images by their row number, once for the whole training, and its code tiles the shorter test set. Such
pairs can be memorised and such a test counts images several times; neither is repeated here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from drifa.data.study.subjects import Subjects
from drifa.errors import DrifaError, plural

NOBODY = -1


def components(subjects: Subjects) -> list[tuple[int, ...]]:
    """Groups the modalities that co-occur in a subject, directly or through others.

    Args:
        subjects: All subjects of a study, not those of one split, so that every split sees the same components.

    Returns:
        Column numbers of ``subjects.image`` per connected component, ascending: ``[(0, 1)]`` for a paired study,
        ``[(0,), (1,)]`` for HAM10000 with SIPaKMeD.
    """
    label = list(range(len(subjects.modalities)))
    for pattern in np.unique(subjects.pattern).tolist():
        joined = {own for column, own in enumerate(label) if pattern >> column & 1}
        label = [min(joined) if own in joined else own for own in label]
    return [tuple(column for column, own in enumerate(label) if own == root) for root in sorted(set(label))]


def subject_components(subjects: Subjects, parts: list[tuple[int, ...]]) -> np.ndarray:
    """The component that each subject belongs to: int64 [S]."""
    of_modality = np.empty(len(subjects.modalities), dtype=np.int64)
    for number, part in enumerate(parts):
        of_modality[list(part)] = number
    return of_modality[subjects.present.argmax(axis=1)]


def task_components(subjects: Subjects) -> tuple[int, ...]:
    """The component whose subjects carry each task's label, in the order of ``subjects.tasks``; -1 for an unlabelled task.

    Raises:
        DrifaError: A task is labelled on both sides of an unpaired study, so that one sample would have two answers.
    """
    parts = components(subjects)
    owner = subject_components(subjects, parts)
    found = []
    for column, task in enumerate(subjects.tasks):
        sides = np.unique(owner[subjects.known[:, column]])
        if len(sides) > 1:
            names = [" + ".join(subjects.modalities[i] for i in parts[side]) for side in sides]
            raise DrifaError(
                f"task {task!r} is labelled in subjects of {' and of '.join(names)}, which never share a subject: a sample "
                f"pairs one subject of each and would have two labels; give each side a task of its own, or link their subjects"
            )
        found.append(int(sides[0]) if len(sides) else -1)
    return tuple(found)


class Gathered(NamedTuple):
    """What samples hold.

    Attributes:
        image: Rows of the study's table, -1 for an absent modality. int64 [n, m]
        present: Which modalities are there. bool [n, m]
        targets: Task -> values; they mean nothing where they are not known. [n]
        known: bool [n, t]
    """

    image: np.ndarray
    present: np.ndarray
    targets: dict[str, np.ndarray]
    known: np.ndarray


def gather(subjects: Subjects, samples: np.ndarray) -> Gathered:
    """Looks up the images and targets of samples.

    Args:
        subjects: Where the samples' indices point.
        samples: Subject indices, -1 for nobody. int64 [n, components]
    """
    nobody = (samples == NOBODY)[..., None]
    # The subjects of one sample never share a modality, and absence is -1, so the maximum is the one that is there.
    image = np.where(nobody, -1, subjects.image[samples]).max(axis=1)
    knowing = ~nobody & subjects.known[samples]
    # Nor do they share a task (see task_components): the value of a task is that of the one subject that knows it.
    rows = np.arange(len(samples))[:, None]
    owner = samples[rows, knowing.argmax(axis=1)]
    targets = {task: subjects.targets[task][owner[:, column]] for column, task in enumerate(subjects.tasks)}
    return Gathered(image, image != -1, targets, knowing.any(axis=1))


def _pools(subjects: Subjects, rows: np.ndarray, parts: list[tuple[int, ...]], needed: set[int], what: str) -> list[np.ndarray]:
    # Sorted: a subject's index follows its id, so the draw does not depend on the order of the rows given.
    rows = np.unique(np.asarray(rows, dtype=np.int64))
    owner = subject_components(subjects, parts)[rows]
    pools = [rows[owner == number] for number in range(len(parts))]
    for number in needed:
        if not len(pools[number]):
            names = " + ".join(subjects.modalities[i] for i in parts[number])
            raise DrifaError(f"the {what} holds no subject with {names}; split the study so that every modality is in it")
    return pools


class EpochPairing:
    """Training samples: each epoch pairs every subject of the largest side with fresh partners.

    The largest pool is permuted; a shorter one is sampled with replacement to the same length (never tiled). An epoch is a
    pure function of ``(seed, epoch)``, so that a resumed training meets exactly the samples it would have met.

    Args:
        subjects: All subjects of the study.
        rows: Indices of the training subjects, in any order.
        seed: Seed, not negative.
        balanced: Draw the subjects of each side with replacement, so that every stratum (class, or quarter of a number) of a
            task is met as often; several tasks of a side are balanced by the mean of their shares.

    Raises:
        DrifaError: A side has no training subject, or a task is labelled on two sides.
    """

    def __init__(self, subjects: Subjects, rows: np.ndarray, seed: int, balanced: bool = False) -> None:
        task_components(subjects)
        parts = components(subjects)
        self.seed = seed
        self.pools = _pools(subjects, rows, parts, set(range(len(parts))), "training split")
        self.shares = [_balanced_shares(subjects.strata[pool]) for pool in self.pools] if balanced else None

    def __len__(self) -> int:
        """Samples per epoch: the size of the largest pool."""
        return max(len(pool) for pool in self.pools)

    def epoch(self, number: int) -> np.ndarray:
        """Samples of one epoch, already shuffled: int64 [L, components]."""
        random = np.random.default_rng([self.seed, number])
        length = len(self)
        if self.shares is not None:
            drawn = zip(self.pools, self.shares, strict=True)
            return np.stack([random.choice(pool, size=length, p=share) for pool, share in drawn], axis=1)
        columns = [
            random.permutation(pool) if len(pool) == length else pool[random.integers(len(pool), size=length)]
            for pool in self.pools
        ]
        return np.stack(columns, axis=1)


def _balanced_shares(strata: np.ndarray) -> np.ndarray:
    """How often each subject is to be drawn: int64 [n, t] -> [n], sum 1; evenly where no task is known."""
    shares = []
    for column in strata.T:
        known = column >= 0
        if known.any():
            counts = np.bincount(column[known])
            share = np.where(known, 1 / np.maximum(counts, 1)[np.maximum(column, 0)], 0.0)
            # A subject whose stratum is not known keeps its natural share.
            share = share / share.sum() * known.mean()
            shares.append(np.where(known, share, 1 / len(column)))
    return np.mean(shares, axis=0) if shares else np.full(len(strata), 1 / len(strata))


def evaluation_samples(
    subjects: Subjects, targets: np.ndarray, component: int, partners: int, pool: np.ndarray, seed: int
) -> np.ndarray:
    """Evaluation samples: every target once, with K fixed partners from each other component.

    A target's partners depend on the seed, its id and the pool only: evaluating a subset, in any order, meets the same ones.

    Args:
        subjects: All subjects of the study.
        targets: Indices of the subjects to judge, all of one component.
        component: Their component, as numbered by :func:`components`.
        partners: K, drawn without replacement where the pool allows it.
        pool: Indices of the subjects that partners come from: those of the training split.
        seed: Seed, not negative.

    Returns:
        int64 [N, K, components]; K is 1 where there is no other component, for a paired study has no partners to draw.

    Raises:
        DrifaError: A target of another component, fewer than one partner, or a component without a subject in the pool.
    """
    parts = components(subjects)
    targets = _of_component(subjects, targets, component, parts)
    if partners < 1:
        raise DrifaError(f"{partners} partners per target; use at least 1, or `alone_samples` for none")
    others = [number for number in range(len(parts)) if number != component]
    count = partners if others else 1
    samples = np.full((len(targets), count, len(parts)), NOBODY, dtype=np.int64)
    samples[:, :, component] = targets[:, None]
    pools = _pools(subjects, pool, parts, set(others), "pool of partners")
    for position, target in enumerate(targets if others else ()):
        drawn = draw_partners(str(subjects.ids[target]), {number: pools[number] for number in others}, count, seed)
        for number, chosen in drawn.items():
            samples[position, :, number] = chosen
    return samples


def draw_partners(subject: str, pools: Mapping[int, np.ndarray], count: int, seed: int) -> dict[int, np.ndarray]:
    """The fixed partners of one subject.

    Args:
        subject: Its id.
        pools: Component -> subject indices to draw from, ascending.
        count: K.
        seed: Seed, not negative.

    Returns:
        Component -> int64 [K], without repetition where the pool allows it.
    """
    digest = hashlib.sha256(subject.encode()).digest()
    random = np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
    return {number: pool[random.choice(len(pool), size=count, replace=count > len(pool))] for number, pool in pools.items()}


def alone_samples(subjects: Subjects, targets: np.ndarray, component: int) -> np.ndarray:
    """Evaluation samples without partners, as in single-modality use: int64 [N, 1, components], -1 beside the target."""
    parts = components(subjects)
    targets = _of_component(subjects, targets, component, parts)
    samples = np.full((len(targets), 1, len(parts)), NOBODY, dtype=np.int64)
    samples[:, 0, component] = targets
    return samples


def _of_component(subjects: Subjects, targets: np.ndarray, component: int, parts: list[tuple[int, ...]]) -> np.ndarray:
    targets = np.asarray(targets, dtype=np.int64)
    if not 0 <= component < len(parts):
        raise DrifaError(f"component {component} does not exist; this study has {len(parts)}, numbered from 0")
    wrong = targets[subject_components(subjects, parts)[targets] != component]
    if len(wrong):
        names = " + ".join(subjects.modalities[i] for i in parts[component])
        raise DrifaError(
            f"{plural(len(wrong), 'target has', 'targets have')} no image of {names}, such as "
            f"{str(subjects.ids[wrong[0]])!r}; pass only "
            f"those that have one"
        )
    return targets


def targets_by_component(subjects: Subjects, chosen: np.ndarray) -> dict[int, np.ndarray]:
    """Component number -> the chosen subjects that belong to it; empty components are left out."""
    found = {}
    for number, columns in enumerate(components(subjects)):
        targets = chosen[(subjects.image[chosen][:, list(columns)] >= 0).any(axis=1)]
        if len(targets):
            found[number] = targets
    return found
