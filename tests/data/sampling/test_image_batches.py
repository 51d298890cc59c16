"""Batches: a pure function of seed and epoch, labels only where they can be asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from drifa.data import EpochPairing, ImageCache, make_phantom
from drifa.data.sampling.image_batches import TrainBatches, answerable, make_batch
from drifa.errors import DrifaError


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("samples")
    study = make_phantom(folder / "study", subjects=50, image_size=32, paired=False)
    cache = ImageCache.build(study, 32, folder / "cache")
    subjects = study.subjects()
    return study, cache, subjects, EpochPairing(subjects, np.arange(len(subjects.ids)), seed=3)


def batches(material, epoch: int, dropout: float = 0.0, rank: int = 0, world: int = 1) -> list:
    study, cache, subjects, pairing = material
    answers = answerable({name: task.modalities for name, task in study.tasks.items()}, subjects)
    loader = TrainBatches(cache, subjects, pairing.epoch, lambda: epoch, 8, 3, answers, dropout, rank, world)
    found = list(loader)
    assert len(found) == len(loader)
    return found


def same(a: list, b: list) -> bool:
    return all(
        torch.equal(x.known, y.known)
        and all(torch.equal(x.targets[task][x.known[:, i]], y.targets[task][y.known[:, i]]) for i, task in enumerate(x.targets))
        and torch.equal(x.present, y.present)
        and x.seed == y.seed
        and all(torch.equal(x.images[name], y.images[name]) for name in x.images)
        for x, y in zip(a, b, strict=True)
    )


def test_an_epoch_repeats_exactly_and_differs_from_the_next(material) -> None:
    assert same(batches(material, 4, dropout=0.3), batches(material, 4, dropout=0.3))
    assert not same(batches(material, 4), batches(material, 5))


def test_modality_dropout_hides_images_and_their_labels_and_leaves_one(material) -> None:
    full, thinned = batches(material, 0), batches(material, 0, dropout=0.4)
    assert all(batch.present.all() for batch in full)
    hidden = 0
    for batch in thinned:
        present = batch.present
        assert present.any(dim=1).all()
        assert not batch.known[~present].any()  # task i belongs to modality i in this study
        for i, images in enumerate(batch.images.values()):
            assert (images[~present[:, i]] == 0).all()
        hidden += int((~present).sum())
    assert 0.1 < hidden / sum(batch.present.numel() for batch in thinned) < 0.6


def test_modality_dropout_never_hides_the_only_image_of_a_subject(material) -> None:
    _, _, subjects, _ = material
    everyone = np.arange(len(subjects.ids))
    # Each sample is one subject beside nobody, so it has a single modality.
    owner = subjects.present.argmax(axis=1)
    samples = np.where(owner[:, None] == np.arange(2), everyone[:, None], -1)
    loader = TrainBatches(material[1], subjects, lambda _: samples, lambda: 0, 8, 0, np.eye(2, dtype=bool), 0.9)
    for batch in loader:
        assert (batch.present.sum(dim=1) == 1).all()


def test_processes_share_an_epoch_without_overlap(material) -> None:
    _, cache, subjects, pairing = material
    samples = pairing.epoch(1)
    for rank in (0, 1):
        share = torch.cat([batch.images["photo"] for batch in batches(material, 1, rank=rank, world=2)])
        expected = make_batch(cache, subjects, samples[rank::2][: len(share)])
        assert torch.equal(share, expected.images["photo"])
    assert len(batches(material, 1, rank=0, world=2)) == len(batches(material, 1, rank=1, world=2))


def test_the_mean_over_processes_of_their_counted_means_is_the_mean_of_all_rows(material) -> None:
    first, second = (batches(material, 1, 0.4, rank, 2) for rank in (0, 1))
    for own, other in zip(first, second, strict=True):
        assert own.seed != other.seed
        known = torch.cat([own.known, other.known])
        losses = torch.rand(known.shape, dtype=torch.float64)
        parts = [losses[: len(own.known)], losses[len(own.known) :]]
        means = [
            torch.tensor(batch.counts) * (part * batch.known).sum(0) / batch.known.sum(0).clamp_min(1)
            for batch, part in zip((own, other), parts, strict=True)
        ]
        torch.testing.assert_close(sum(means) / 2, (losses * known).sum(0) / known.sum(0).clamp_min(1))


def test_an_epoch_too_short_for_its_processes_is_refused(material) -> None:
    with pytest.raises(DrifaError, match="too short for 400 processes"):
        batches(material, 1, rank=0, world=400)
