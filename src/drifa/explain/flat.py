"""Readouts in two dimensions: the PCA, and beside it what is asked for, t-SNE or UMAP, with how it came about."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from drifa.errors import DrifaError, suggest
from drifa.explain.embedding import pca, perplexity, tsne

EMBEDDINGS = ("tsne", "pca", "umap")
#: Neighbours whose places UMAP keeps, where there are points enough.
KEPT = 15


@dataclass(frozen=True)
class Flat:
    """Points in two dimensions.

    Attributes:
        form: One of :data:`EMBEDDINGS`; where a single drawing is shown, it is this.
        places: ``pca`` and the form, each ``[N, 2]``.
        perplexity: Of t-SNE.
        n_neighbors: Of UMAP.
        seed: Of both; None for the PCA, which draws nothing at random.
    """

    form: str
    places: Mapping[str, np.ndarray]
    perplexity: float | None = None
    n_neighbors: int | None = None
    seed: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Form, perplexity, n_neighbors and seed, as records have them."""
        return {"form": self.form, "perplexity": self.perplexity, "n_neighbors": self.n_neighbors, "seed": self.seed}

    @property
    def note(self) -> str:
        """``perplexity 30, seed 0``; empty for the PCA."""
        told = {"perplexity": self.perplexity, "n_neighbors": self.n_neighbors, "seed": self.seed}
        return ", ".join(f"{name} {value:.3g}" for name, value in told.items() if value is not None)

    def of(self, rows: np.ndarray) -> Flat:
        """The places of some points; they stay where they are."""
        return replace(self, places={form: points[rows] for form, points in self.places.items()})


def check_embedding(form: str) -> None:
    """Looks whether a form is known, and what it needs installed.

    Raises:
        DrifaError: It is not.
    """
    if form not in EMBEDDINGS:
        raise DrifaError(f"embedding {form!r} is not known{suggest(form, EMBEDDINGS)}")
    if form == "umap" and importlib.util.find_spec("umap") is None:
        raise DrifaError(f'embedding {form!r} needs umap-learn, which is not installed here; run `pip install "drifa[umap]"`')


def flat(points: np.ndarray, form: str, seed: int) -> Flat:
    """Puts points into two dimensions.

    Args:
        points: Four or more. ``[N, D]``
        form: One of :data:`EMBEDDINGS`, checked by :func:`check_embedding`.
        seed: Of t-SNE and UMAP.
    """
    first = {"pca": pca(points)}
    if form == "tsne":
        return Flat(form, {**first, form: tsne(points, seed)}, perplexity=perplexity(len(points)), seed=seed)
    if form == "umap":
        return Flat(form, {**first, form: umap(points, seed)}, n_neighbors=kept(len(points)), seed=seed)
    return Flat(form, first)


def kept(count: int) -> int:
    """UMAP's ``n_neighbors`` for so many points: 15, less where there are no 16."""
    return min(KEPT, count - 1)


def umap(points: np.ndarray, seed: int) -> np.ndarray:
    """UMAP by cosine distance: ``[N, D] -> [N, 2]``; distances between clusters mean nothing.

    References:
        McInnes, Healy and Melville, UMAP: Uniform Manifold Approximation and Projection for Dimension Reduction, arXiv
        1802.03426, 2018.
    """
    from umap import UMAP

    # A seed holds for one thread alone.
    reduced = UMAP(n_neighbors=kept(len(points)), metric="cosine", random_state=seed, n_jobs=1).fit_transform(points)
    return np.asarray(reduced)
