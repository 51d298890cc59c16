"""The space of the readouts by what the network sees: is a case where it was, shown by another of its modalities?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from drifa.explain.asked import thinned
from drifa.explain.embedding import NEIGHBOURS, readouts, silhouette
from drifa.networks.fusionnet import FusionNet

#: Points of one drawing: t-SNE of more takes longer than everything else, and more cannot be told apart.
MOST_POINTS = 600
#: What is seen where a case shows all its modalities.
JOINT = "all it has"


@dataclass(frozen=True)
class Alone:
    """Readouts of cases that show a single modality.

    Attributes:
        points: Rows of length 1. ``[P, D]``
        cases: Which case each is of. ``[P]``
        modalities: Which modality it shows. ``[P]``
    """

    points: np.ndarray
    cases: np.ndarray
    modalities: np.ndarray


@dataclass(frozen=True)
class ModalitySpace:
    """Readouts of cases by what is seen of them, and how far the modalities are apart.

    Attributes:
        points: Of one modality alone, then of all where a case has several. ``[N, D]``
        cases: Which case each is of. ``[N]``
        seen: The modality of each, or :data:`JOINT`.
        silhouette: Of the points of one modality alone, by modality; None where it is not defined.
        alike: Of the nearest such points of each, the share that is of its own modality.
        by_chance: The same, were the modalities shuffled.
    """

    points: np.ndarray
    cases: np.ndarray
    seen: tuple[str, ...]
    silhouette: float | None
    alike: float
    by_chance: float

    @property
    def counts(self) -> dict[str, int]:
        """What is seen -> its points."""
        return {name: self.seen.count(name) for name in dict.fromkeys(self.seen)}


def fitting(present: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """The cases, evenly spread, whose points are not more than can be drawn.

    Args:
        present: Which modalities each case has. bool ``[N, m]``
        most: Points.
    """
    own = present.sum(axis=1)
    return thinned(np.arange(len(present)), most // max(1, *(own + (own > 1)).tolist()) if len(own) else most)


def alone(nets: Sequence[FusionNet], images: Mapping[str, Tensor], present: Tensor, first: int = 0) -> Alone:
    """Reads every modality of some cases as if the case had no other.

    Args:
        nets: As :func:`~drifa.explain.embedding.readouts` takes them.
        images: By modality.
        present: bool ``[B, m]``, in the order of the networks' modalities.
        first: Number of the first case.

    Returns:
        A point for each True of ``present``, modality by modality.
    """
    points, cases, modalities = [], [], []
    for i, name in enumerate(nets[0].modalities):
        rows = present[:, i].nonzero().squeeze(1)
        if len(rows):
            only = torch.zeros_like(present[rows])
            only[:, i] = True
            points.append(readouts(nets, {name: images[name][rows]}, only))
            cases.append(first + rows.cpu().numpy())
            modalities.append(np.full(len(rows), i))
    return Alone(np.concatenate(points), np.concatenate(cases), np.concatenate(modalities))


def joined(parts: Sequence[Alone]) -> Alone:
    """The points of several batches, one after another."""
    points, cases, modalities = (np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Alone))
    return Alone(points, cases, modalities)


def space_of(found: Alone, present: np.ndarray, joint: np.ndarray, names: Sequence[str]) -> ModalitySpace | None:
    """Judges the points of single modalities and puts those of all modalities beside them.

    Args:
        found: Points of single modalities.
        present: Which modalities each case has. bool ``[C, m]``
        joint: The readouts of the same cases from all that each has. ``[C, D]``
        names: Of the m modalities.

    Returns:
        The space; None where there is a single modality, or too few points to draw.
    """
    if len(found.points) < 4 or len(np.unique(found.modalities)) < 2:
        return None
    several = np.flatnonzero(present.sum(axis=1) > 1)
    alike, by_chance = own_share(found.points, found.modalities)
    return ModalitySpace(
        np.concatenate([found.points, joint[several]]),
        np.concatenate([found.cases, several]),
        (*(names[i] for i in found.modalities), *(JOINT for _ in several)),
        silhouette(found.points, found.modalities),
        alike,
        by_chance,
    )


def own_share(points: np.ndarray, labels: np.ndarray, count: int = NEIGHBOURS) -> tuple[float, float]:
    """Which share of the nearest other points has the label of the point, by cosine, and which would have it by chance.

    A silhouette near 0 alone does not say that labels are mixed: it is also near 0 where each has several clusters.

    Args:
        points: Rows of length 1. ``[N, D]``
        labels: ``[N]``
        count: How many are nearest.
    """
    cosines = points @ points.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : min(count, len(points) - 1)]
    same = labels[:, None] == labels[None]
    by_chance = (same.sum(axis=1) - 1) / (len(points) - 1)
    return float(np.take_along_axis(same, nearest, axis=1).mean()), float(by_chance.mean())
