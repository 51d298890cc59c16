"""Readouts are points on a sphere; neighbours and figures follow from their angles."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from drifa.explain.embedding import PERPLEXITY, knn_accuracy, nearest, pca, perplexity, readouts, silhouette, tsne
from tests.explain.test_cam import hooks
from tests.networks.tiny import images, tiny


def clusters(count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = np.arange(count) % 3
    points = np.eye(3, 8)[labels] + 0.1 * random.normal(size=(count, 8))
    return points / np.linalg.norm(points, axis=1, keepdims=True), labels


def test_a_readout_is_of_length_one_and_its_cosine_the_mean_over_the_members() -> None:
    nets, given = [tiny(), tiny("concat").train()], images()
    both = readouts(nets, given, None)
    each = [readouts([net], given, None) for net in nets]
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(both @ both.T, np.mean([x @ x.T for x in each], axis=0), atol=1e-5)
    assert [hooks(net) for net in nets] == [0, 0]
    assert nets[1].training
    present = torch.tensor([[True, False]] * 4)
    alone = readouts(nets, {"dermoscopy": given["dermoscopy"]}, present)
    given["pap_smear"][:] = torch.nan
    np.testing.assert_allclose(readouts(nets, given, present), alone, atol=1e-6)


def test_clusters_are_seen_as_clusters() -> None:
    points, labels = clusters()
    assert silhouette(points, labels) > 0.5 > silhouette(points, np.arange(30) // 10)
    assert knn_accuracy(points[:15], labels[:15], points[15:], labels[15:]) == 1
    for flat in (pca(points), tsne(points, seed=1)):
        assert flat.shape == (30, 2)
        centres = np.stack([flat[labels == k].mean(axis=0) for k in range(3)])
        assert (np.linalg.norm(flat[:, None] - centres, axis=2).argmin(axis=1) == labels).all()
    np.testing.assert_array_equal(tsne(points, seed=1), tsne(points, seed=1))


def test_what_cannot_be_judged_is_none() -> None:
    points, labels = clusters()
    assert silhouette(points, 0 * labels) is None
    assert silhouette(points[:3], labels[:3]) is None
    assert knn_accuracy(points[:0], labels[:0], points, labels) is None


def test_perplexity_fits_the_number_of_points() -> None:
    assert perplexity(1000) == PERPLEXITY
    assert all(0 < perplexity(count) < count for count in range(2, 90))


def test_the_nearest_training_case_of_a_case_is_itself() -> None:
    points, _ = clusters()
    found = nearest(points, points, [f"S{i}" for i in range(30)], count=3)
    assert [one[0].subject for one in found] == [f"S{i}" for i in range(30)]
    assert all(one[0].cosine == pytest.approx(1) and one[0].cosine >= one[1].cosine >= one[2].cosine for one in found)
