"""Batches of slices: an epoch shows every slice with tumour and half as many without, a split every slice once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest

from drifa.data.cache.volume_cache import VolumeCache
from drifa.data.sampling.batch import Batch
from drifa.data.sampling.slice_batches import LEAST_BRAIN, SliceSource, SplitSlices, TrainSlices
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import RegionTarget
from tests.nifti_files import make_head, write_nifti

SPLITS = {"a": "train", "b": "train", "c": "train", "d": "val"}


class Recorder(SliceSource):
    """Notes which slices are asked for."""

    def batch(self, rows: np.ndarray, keep: np.ndarray | None = None) -> Batch:
        self.rows = [*getattr(self, "rows", []), *rows.tolist()]
        return super().batch(rows, keep)

    def taken(self, batches: Iterable[Batch]) -> list[int]:
        """The slices of one pass."""
        self.rows: list[int] = []
        self.batches = list(batches)
        return self.rows


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Four heads: `b` has no T1 and no tumour, `c` no mask, `d` is for validation."""
    root, rows = tmp_path_factory.mktemp("heads"), []
    for seed, (name, split) in enumerate(SPLITS.items()):
        grey, mask = make_head((20, 24, 16), seed)
        write_nifti(root / name / "seg.nii.gz", mask * (name != "b"))
        for modality in ("flair", "t1")[: 1 if name == "b" else 2]:
            write_nifti(root / name / f"{modality}.nii.gz", grey)
            seg = "" if name == "c" else f"{name}/seg.nii.gz"
            rows.append((name, modality, f"{name}/{modality}.nii.gz", "", split, seg))
    table = pd.DataFrame(rows, columns=["subject", "modality", "path", "group", "split", "tumour"])
    task = Task("tumour", RegionTarget({"WT": (1, 2, 4), "ET": (4,)}), ("flair", "t1"))
    return Study("heads", root, table, {name: Modality(name, 1) for name in ("flair", "t1")}, {"tumour": task})


@pytest.fixture(scope="module")
def cache(study: Study, tmp_path_factory: pytest.TempPathFactory) -> VolumeCache:
    return VolumeCache.build(study, tmp_path_factory.mktemp("cache"), size=16, workers=1)


@pytest.fixture
def source(study: Study, cache: VolumeCache) -> Recorder:
    return Recorder(study, cache)


def test_the_slices_of_a_split_are_annotated_and_show_tissue(source: Recorder, cache: VolumeCache) -> None:
    for split, subjects in (("train", (0, 1)), ("val", (3,)), ("test", ())):
        expected = [row for subject in subjects for row in cache.slices_of(subject) if cache.index.brain[row] >= LEAST_BRAIN]
        assert source.rows_of(split).tolist() == expected


def test_an_epoch_shows_every_slice_with_tumour_and_half_as_many_without(source: Recorder, cache: VolumeCache) -> None:
    taken = source.taken(batches := TrainSlices(source, lambda: 0, batch_size=1, seed=0))
    assert len(batches) == len(source.batches) == len(taken) == len(set(taken))
    marked = cache.index.marked["tumour"][taken] == 1
    everything = source.rows_of("train")
    assert set(np.array(taken)[marked]) == set(everything[cache.index.marked["tumour"][everything] == 1])
    assert (~marked).sum() == marked.sum() // 2 > 0
    # The tumour is in the regions, and the regions are nested.
    for batch, has in zip(source.batches, marked, strict=True):
        whole, inner = batch.targets["tumour"][0]
        assert whole.any() == bool(has)
        assert not (inner & ~whole).any()


def test_an_epoch_is_a_function_of_seed_and_number(source: Recorder) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return source.taken(TrainSlices(source, lambda: epoch, batch_size=4, seed=seed))

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(*numbers)) for numbers in ((0, 0), (0, 1), (1, 0))}) == 3


def test_processes_share_an_epoch_without_showing_a_slice_twice(source: Recorder) -> None:
    alone = source.taken(TrainSlices(source, lambda: 0, batch_size=1, seed=0))
    shares = [source.taken(TrainSlices(source, lambda: 0, batch_size=1, seed=0, rank=rank, world=2)) for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1]) == len(alone) // 2
    assert not set(shares[0]) & set(shares[1])
    assert {*shares[0], *shares[1]} <= set(alone)


def test_a_split_is_judged_slice_by_slice_once_and_in_order(source: Recorder, cache: VolumeCache) -> None:
    rows = source.rows_of("val")
    batches = SplitSlices(source, "val", batch_size=4)
    assert source.taken(batches) == rows.tolist()
    assert len(source.batches) == len(batches) == -(-len(rows) // 4)
    shares = [source.taken(SplitSlices(source, "val", 4, rank, 2)) for rank in (0, 1)]
    assert sorted(shares[0] + shares[1]) == rows.tolist()
    first = next(iter(batches))
    assert first.images["flair"].equal(cache.read("flair", rows[:4]))
    assert first.targets["tumour"].equal(cache.regions("tumour", rows[:4]))


def test_what_a_subject_lacks_is_zero_and_what_has_no_mask_is_not_known(source: Recorder, cache: VolumeCache) -> None:
    rows = np.array([cache.slices_of(subject)[8] for subject in range(4)])
    batch = source.batch(rows)
    assert batch.present.tolist() == [[True, True], [True, False], [True, True], [True, True]]
    assert batch.known[:, 0].tolist() == [True, True, False, True]
    assert not batch.images["t1"][1].any()
    hidden = source.batch(rows, keep=np.array([[True, False]] * 4))
    assert hidden.present.tolist() == [[True, False]] * 4
    assert not hidden.images["t1"].any()
    assert hidden.images["flair"].equal(batch.images["flair"])


def test_dropout_hides_modalities_and_never_the_last_one(source: Recorder) -> None:
    source.taken(TrainSlices(source, lambda: 0, batch_size=1, seed=0, modality_dropout=0.9))
    shown = np.concatenate([batch.present.numpy() for batch in source.batches])
    assert shown.any(axis=1).all()
    assert shown.all(axis=1).mean() < 0.5
