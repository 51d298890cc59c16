"""Points in two dimensions say how they came there; what is not known or not installed is told in a sentence."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from drifa.errors import DrifaError
from drifa.explain.embedding import perplexity
from drifa.explain.flat import EMBEDDINGS, KEPT, check_embedding, flat, kept
from tests.explain.test_embedding import clusters


def test_the_pca_is_always_there_and_the_form_tells_its_settings() -> None:
    points, _ = clusters()
    found = flat(points, "tsne", seed=3)
    assert list(found.places) == ["pca", "tsne"]
    assert found.settings == {"form": "tsne", "perplexity": perplexity(30), "n_neighbors": None, "seed": 3}
    assert found.note == "perplexity 10, seed 3"
    alone = flat(points, "pca", seed=3)
    assert list(alone.places) == ["pca"]
    assert alone.note == ""
    assert {value for name, value in alone.settings.items() if name != "form"} == {None}


def test_chosen_points_stay_where_they_are() -> None:
    points, _ = clusters()
    found = flat(points, "pca", seed=0)
    np.testing.assert_array_equal(found.of(np.array([4, 2])).places["pca"], found.places["pca"][[4, 2]])


def test_a_name_that_is_not_known_gets_near_ones() -> None:
    with pytest.raises(DrifaError, match=r"embedding 'tsn' is not known \(did you mean 'tsne'\?\)"):
        check_embedding("tsn")
    with pytest.raises(DrifaError, match="choices: tsne, pca, umap"):
        check_embedding("isometric")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def find_spec(name: str, *given: Any) -> Any:
        return None if name == "umap" else real(name, *given)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(DrifaError, match=r'needs umap-learn, which is not installed here; run `pip install "drifa\[umap\]"`'):
        check_embedding("umap")
    for form in set(EMBEDDINGS) - {"umap"}:
        check_embedding(form)


def test_umap_keeps_fewer_neighbours_than_there_are_points() -> None:
    assert kept(1000) == KEPT
    assert all(1 < kept(count) < count for count in range(3, 40))


@pytest.mark.slow  # the first use compiles for a minute
def test_umap_sees_clusters_and_the_same_seed_draws_the_same() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed (extra umap)")
    points, labels = clusters()
    first, again = (flat(points, "umap", seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.places["umap"], again.places["umap"])
    assert first.note == "n_neighbors 15, seed 1"
    centres = np.stack([first.places["umap"][labels == k].mean(axis=0) for k in range(3)])
    assert (np.linalg.norm(first.places["umap"][:, None] - centres, axis=2).argmin(axis=1) == labels).all()
    for few in (4, 5):
        assert np.isfinite(flat(points[:few], "umap", seed=1).places["umap"]).all()
