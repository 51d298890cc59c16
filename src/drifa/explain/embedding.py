"""The space in which a run compares cases: its shared readout, seen in two dimensions, judged, and searched for neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from drifa.networks.fusionnet import FusionNet
from drifa.networks.undisturbed import undisturbed

#: t-SNE's perplexity where there are points enough: three times as many and more.
PERPLEXITY = 30.0
#: Neighbours that vote on a class.
NEIGHBOURS = 5


@dataclass(frozen=True)
class Neighbour:
    """A training case that a network sees as alike.

    Attributes:
        subject: Its id.
        cosine: Of the two readouts.
        group: What it belongs to, such as a patient.
        labels: Task -> its class, or its number as text; without tasks that it has no truth of.
    """

    subject: str
    cosine: float
    group: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def readouts(nets: Sequence[FusionNet], images: Mapping[str, Tensor], present: Tensor | None) -> np.ndarray:
    """What the heads read, of all members side by side, each of length 1: the cosine of two rows is the mean of theirs.

    Args:
        nets: In any mode; left as they were.
        images: By modality.
        present: bool ``[B, m]`` or ``None``.

    Returns:
        float32 ``[B, D]``, rows of length 1.
    """
    parts: list[Tensor] = []
    for net in nets:
        with torch.no_grad(), undisturbed(net):
            _, readout = net.embed(net.to_input(images), present)
        parts.append(F.normalize(readout.float(), dim=1).cpu())
    return (torch.cat(parts, dim=1) / len(nets) ** 0.5).numpy()


def pca(points: np.ndarray) -> np.ndarray:
    """The two directions of largest spread: ``[N, D] -> [N, 2]``."""
    from sklearn.decomposition import PCA

    return np.asarray(PCA(n_components=2, svd_solver="full").fit_transform(points))


def perplexity(count: int) -> float:
    """Of t-SNE for so many points: 30, less where there are under 90."""
    return min(PERPLEXITY, count / 3)


def tsne(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE by cosine distance, begun at the PCA: ``[N, D] -> [N, 2]``; distances between clusters mean nothing.

    References:
        van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008.
    """
    from sklearn.manifold import TSNE

    reduced = TSNE(perplexity=perplexity(len(points)), metric="cosine", init="pca", random_state=seed).fit_transform(points)
    return np.asarray(reduced)


def silhouette(points: np.ndarray, labels: np.ndarray) -> float | None:
    """How much closer a case is to its class than to the next, by cosine, from -1 to 1; None with fewer than two classes."""
    from sklearn.metrics import silhouette_score

    if not 1 < len(np.unique(labels)) < len(labels):
        return None
    return float(silhouette_score(points, labels, metric="cosine"))


def knn_accuracy(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float | None:
    """Share of test cases whose class the nearest training cases vote for, by cosine; None where a side is empty."""
    from sklearn.neighbors import KNeighborsClassifier

    if not len(train) or not len(test):
        return None
    voters = KNeighborsClassifier(min(NEIGHBOURS, len(train)), metric="cosine").fit(train, train_labels)
    return float((voters.predict(test) == test_labels).mean())


def nearest(points: np.ndarray, train: np.ndarray, names: Sequence[str], count: int = NEIGHBOURS) -> list[list[Neighbour]]:
    """The training cases most like each case, the nearest first.

    Args:
        points: Rows of length 1. ``[N, D]``
        train: Likewise. ``[T, D]``
        names: T subjects.
        count: How many.
    """
    cosines = points @ train.T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return [[Neighbour(str(names[j]), float(row[j])) for j in chosen] for row, chosen in zip(cosines, order, strict=True)]
