"""Volumes become slices and predictions become volumes again: nothing is lost, mirrored, leaked or half-built on the way."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from drifa.data.cache import volume_cache
from drifa.data.cache.volume_cache import SUBJECT_FILE, VolumeCache
from drifa.data.reading.slicing import NATIVE, prepare_volumes
from drifa.data.reading.volumes import read_volume, write_mask
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget, RegionTarget
from drifa.errors import DrifaError
from tests.nifti_files import LPS, make_head, write_nifti
from tests.series_files import write_series

REGIONS = {"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)}


def _study(root: Path, rows: list[tuple[str, str, str, str]], regions: dict[str, tuple[int, ...]] = REGIONS) -> Study:
    table = pd.DataFrame(rows, columns=["subject", "modality", "path", "tumour"]).assign(group="", split="")
    names = tuple(dict.fromkeys(table["modality"]))
    modalities = {name: Modality(name, 1) for name in names}
    return Study("heads", root, table, modalities, {"tumour": Task("tumour", RegionTarget(regions), names)})


@pytest.fixture
def heads(tmp_path: Path) -> Study:
    """Three heads of different sizes: `a` and `b` with both modalities and a mask, `c` with FLAIR alone and none."""
    root, rows = tmp_path / "scans", []
    for seed, (name, shape) in enumerate({"a": (20, 24, 12), "b": (26, 18, 9), "c": (16, 16, 10)}.items()):
        grey, mask = make_head(shape, seed)
        write_nifti(root / name / "flair.nii.gz", grey)
        rows.append((name, "flair", f"{name}/flair.nii.gz", ""))
        if name != "c":
            write_nifti(root / name / "seg.nii.gz", mask)
            write_nifti(root / name / "t1.nii", 2000 - 3 * grey * (grey > 0) - 2000 * (grey == 0))
            rows.append((name, "t1", f"{name}/t1.nii", f"{name}/seg.nii.gz"))
    return _study(root, rows)


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("size", [NATIVE, 32])
def test_the_index_addresses_every_slice_of_every_subject(heads: Study, tmp_path: Path, size: int) -> None:
    cache = VolumeCache.build(heads, tmp_path / "cache", size=size, workers=2)
    everything = np.arange(len(cache.index))
    assert np.concatenate([cache.slices_of(subject) for subject in range(3)]).tolist() == everything.tolist()
    for subject in range(3):
        rows = cache.slices_of(subject)
        assert (cache.index.subject[rows] == subject).all()
        geometry = cache.geometry[subject]
        assert cache.index.z[rows].tolist() == list(range(geometry.start[2], geometry.stop[2]))
    images, regions = cache.read("flair", everything), cache.regions("tumour", everything)
    assert images.shape == (len(everything), 1, cache.side, cache.side)
    assert (images.dtype, regions.dtype) == (torch.float32, torch.bool)
    assert regions.shape == (len(everything), 3, cache.side, cache.side)
    marked = cache.index.marked["tumour"]
    np.testing.assert_array_equal(marked[cache.index.subject < 2], regions.any((1, 2, 3))[cache.index.subject < 2])
    assert (marked[cache.index.subject == 2] == -1).all()
    assert (cache.index.brain > 0).all()  # the crop ends at the first slice with foreground
    order = np.random.default_rng(0).permutation(everything)
    assert torch.equal(cache.read("flair", order), images[order])
    assert torch.equal(cache.regions("tumour", order), regions[order])


def test_what_a_subject_lacks_is_zero(heads: Study, tmp_path: Path) -> None:
    cache = VolumeCache.build(heads, tmp_path / "cache", size=32)
    rows = cache.slices_of(2)
    assert not cache.read("t1", rows).any()
    assert not cache.regions("tumour", rows).any()
    assert cache.truth(2, "tumour") is None
    assert cache.read("flair", rows).any()
    assert not cache.read("flair", np.array([-1])).any()


def test_native_slices_hold_the_normalised_voxels_themselves(heads: Study, tmp_path: Path) -> None:
    cache = VolumeCache.build(heads, tmp_path / "cache", size=NATIVE, clip=0)
    for name in ("flair", "t1"):
        volume = read_volume(heads.root / "a" / f"{name}.{'nii.gz' if name == 'flair' else 'nii'}").array
        back = cache.restore(0, cache.read(name, cache.slices_of(0)))[..., 0]
        brain = volume != 0
        assert not back[~brain].any()
        np.testing.assert_allclose([back[brain].mean(), back[brain].std()], [0, 1], atol=2e-3)
        np.testing.assert_allclose(back[brain], (volume[brain] - volume[brain].mean()) / volume[brain].std(), atol=5e-3)


def test_masks_survive_the_way_forth_and_back(heads: Study, tmp_path: Path) -> None:
    for size, least in ((NATIVE, 1.0), (64, 0.95)):
        cache = VolumeCache.build(heads, tmp_path / "cache", size=size)
        for subject in (0, 1):
            truth = cache.truth(subject, "tumour")
            assert truth is not None
            back = cache.restore(subject, cache.regions("tumour", cache.slices_of(subject)))
            assert back.shape == truth.shape
            for region in range(3):
                assert _dice(back[..., region] >= 0.5, truth[..., region]) >= least


def test_probabilities_stay_probabilities_and_are_zero_outside_the_crop(heads: Study, tmp_path: Path) -> None:
    cache = VolumeCache.build(heads, tmp_path / "cache", size=40)
    full = cache.restore(0, torch.ones(len(cache.slices_of(0)), 2, 40, 40))
    geometry = cache.geometry[0]
    np.testing.assert_allclose(full[geometry.box], 1, atol=1e-5)
    full[geometry.box] = 0
    assert not full.any()
    with pytest.raises(DrifaError, match=r"do not cover the \(\d+, 40, 40\) slices"):
        cache.restore(0, torch.ones(2, 2, 40, 40))


def test_a_prediction_lands_on_the_voxels_of_the_file(heads: Study, tmp_path: Path) -> None:
    # The whole way: file -> slices -> restored -> written mask, compared voxel by voxel in the file's own order.
    cache = VolumeCache.build(heads, tmp_path / "cache", size=NATIVE)
    back = cache.restore(0, cache.regions("tumour", cache.slices_of(0)))
    written = write_mask(tmp_path / "out.nii.gz", back[..., 2] >= 0.5, read_volume(heads.root / "a/flair.nii.gz"))
    source = read_volume(heads.root / "a/seg.nii.gz")
    np.testing.assert_array_equal(read_volume(written).array == 1, source.array == 4)
    np.testing.assert_allclose(read_volume(written).original_affine, LPS, atol=1e-5)


def test_grey_values_do_not_depend_on_the_scanners_scale_or_its_background(tmp_path: Path) -> None:
    grey, _ = make_head()
    names = ("plain", "scaled", "shifted")
    arrays = (grey, grey * 7.5, (grey - 250) / 40)  # the last one was normalised before: its background is not 0
    images = []
    for name, array in zip(names, arrays, strict=True):
        volume = read_volume(write_nifti(tmp_path / f"{name}.nii", array.astype(np.float32)))
        images.append(prepare_volumes({"flair": volume}, size=NATIVE).images["flair"])
    np.testing.assert_allclose(images[1], images[0], atol=1e-4)
    np.testing.assert_allclose(images[2], images[0], atol=1e-4)


def test_outliers_are_clipped_and_volumes_of_one_value_become_zero(tmp_path: Path) -> None:
    grey, _ = make_head()
    grey[10, 12, 6] = 1e6
    volume = read_volume(write_nifti(tmp_path / "a.nii", grey))
    assert prepare_volumes({"flair": volume}, size=NATIVE).images["flair"].max() == 5
    for value in (0, 7):
        flat = replace(volume, array=np.full_like(grey, value))
        prepared = prepare_volumes({"flair": flat}, size=16)
        assert not prepared.images["flair"].any()
        assert prepared.geometry.slices[0] == grey.shape[2]
        both = prepare_volumes({"flair": volume, "t1": flat}, size=16)
        assert both.geometry == prepare_volumes({"flair": volume}, size=16).geometry


def test_the_crop_holds_the_foreground_of_all_modalities(tmp_path: Path) -> None:
    grey, _ = make_head()
    volume = read_volume(write_nifti(tmp_path / "a.nii", grey))
    shifted = replace(volume, array=np.roll(volume.array, 2, axis=1))
    one, two = (prepare_volumes({"x": each}, NATIVE).geometry for each in (volume, shifted))
    both = prepare_volumes({"x": volume, "y": shifted}, NATIVE).geometry
    assert both.start == tuple(np.minimum(one.start, two.start))
    assert both.stop == tuple(np.maximum(one.stop, two.stop))


def test_a_head_keeps_its_aspect(tmp_path: Path) -> None:
    grey, _ = make_head((20, 40, 6))
    volume = read_volume(write_nifti(tmp_path / "a.nii", np.where(grey != 0, 1.0, 0).astype(np.float32)))
    volume.array[volume.array > 0] += np.random.default_rng(0).random(int((volume.array > 0).sum()))
    prepared = prepare_volumes({"flair": volume}, size=64)
    height, width = (int(np.ptp(np.flatnonzero((prepared.images["flair"] != 0).any((0, axis))))) + 1 for axis in (2, 1))
    x, y, _ = np.subtract(prepared.geometry.stop, prepared.geometry.start)
    assert width == 64
    assert height / width == pytest.approx(x / y, abs=0.06)


def test_a_finished_cache_is_reused_and_a_changed_file_is_not(
    heads: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, calls = tmp_path / "cache", []

    def build(study: Study, **settings: int) -> VolumeCache:
        calls.clear()
        return VolumeCache.build(study, folder, progress=lambda *call: calls.append(call), **{"size": 24, **settings})

    build(heads)
    # One thing is counted: a bar for each subject would be done for the last one alone, and stay.
    assert calls == [(1, 3, "preparing volumes"), (2, 3, "preparing volumes"), (3, 3, "preparing volumes")]
    before = build(heads).read("flair", np.arange(5))
    assert not calls
    os.utime(heads.root / "b/t1.nii", ns=(1, 1))
    build(heads)
    assert [call[:2] for call in calls] == [(1, 1)]
    build(heads, size=20)
    assert len(calls) == 3
    other = {"WT": (1, 2, 4), "rest": (3,)}
    build(replace(heads, tasks={"tumour": Task("tumour", RegionTarget(other), ("flair", "t1"))}))
    assert len(calls) == 2  # the subjects with masks: these are checked against the task
    assert torch.equal(build(heads).read("flair", np.arange(5)), before)
    monkeypatch.setattr(volume_cache, "READING", volume_cache.READING + 1)
    build(heads)
    assert len(calls) == 3  # by readers that see other voxels


def test_a_killed_build_goes_on_where_it_stopped(heads: Study, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    whole = VolumeCache.build(heads, folder, size=24)
    everything = np.arange(len(whole.index))
    images = whole.read("flair", everything)
    broken = next(folder.glob("*/t1.npy")).parent
    (broken / SUBJECT_FILE).unlink()  # it is written last
    (broken / "t1.npy").write_bytes(b"half")
    done: list[str] = []
    again = VolumeCache.build(heads, folder, size=24, progress=lambda *call: done.append(call[2]))
    assert len(done) == 1
    assert torch.equal(again.read("flair", everything), images)
    assert torch.equal(again.read("t1", everything), whole.read("t1", everything))
    assert not list(folder.rglob("*.tmp"))
    (broken / "t1.npy").write_bytes((broken / "t1.npy").read_bytes()[:-64])
    with pytest.raises(DrifaError, match="is cut short; delete the cache folder"):
        again.read("t1", everything)


def test_a_cache_may_be_sent_to_another_process(heads: Study, tmp_path: Path) -> None:
    cache = VolumeCache.build(heads, tmp_path / "cache", size=24)
    sent = pickle.dumps(cache)
    assert len(sent) < 50_000
    rows = np.arange(7)
    assert torch.equal(pickle.loads(sent).read("t1", rows), cache.read("t1", rows))


def test_every_fault_of_the_data_is_named(heads: Study, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with pytest.raises(DrifaError, match=r"seg.nii.gz has labels outside the study: 4; task 'tumour' knows 0, 1, 2"):
        VolumeCache.build(_study(heads.root, _rows(heads), {"WT": (1, 2)}), folder)
    for spoiled in (-1.0, 0.5, 300.0):
        write_nifti(tmp_path / "scans/a/odd.nii", np.full((20, 24, 12), spoiled, dtype=np.float32))
        rows = [(s, m, p, "a/odd.nii" if s == "a" and t else t) for s, m, p, t in _rows(heads)]
        with pytest.raises(DrifaError, match=rf"outside the study: {spoiled:g};"):
            VolumeCache.build(_study(heads.root, rows), folder)
    rows = [(s, m, p, "b/seg.nii.gz" if s == "a" and t else t) for s, m, p, t in _rows(heads)]
    with pytest.raises(DrifaError, match=r"flair and the mask of tumour of one subject lie on different grids: .*b/seg.nii.gz"):
        VolumeCache.build(_study(heads.root, rows), folder)
    colour = replace(heads, modalities=heads.modalities | {"t1": Modality("t1", 3)})
    with pytest.raises(DrifaError, match="modality 't1' holds volumes, which are grey; say channels: 1"):
        VolumeCache.build(colour, folder)
    cache = VolumeCache.build(heads, folder, size=16)
    with pytest.raises(DrifaError, match=r"no modality 't2' \(choices: flair, t1\)"):
        cache.read("t2", np.array([0]))
    with pytest.raises(DrifaError, match=r"no segmentation task 'tumor' \(did you mean 'tumour'\?\)"):
        cache.regions("tumor", np.array([0]))
    with pytest.raises(DrifaError, match="size -1"):
        VolumeCache.build(heads, folder, size=-1)
    (heads.root / "a/t1.nii").unlink()
    with pytest.raises(DrifaError, match=r"a/t1.nii cannot be opened \(No such file or directory\)"):
        VolumeCache.build(heads, folder, size=16)


def _rows(study: Study) -> list[tuple[str, str, str, str]]:
    return list(study.table[["subject", "modality", "path", "tumour"]].itertuples(index=False, name=None))


def test_real_tumours_survive_the_way_forth_and_back(data_root: Path, tmp_path: Path) -> None:
    root = data_root / "brats"
    if not (root / "brats2018_case_0").is_dir():
        pytest.skip(f"{root} holds no brats2018_case_0")
    rows = [
        ("case", name.lower(), f"brats2018_case_0/{name}.nii.gz", "brats2018_case_0/GT_W.nii.gz") for name in ("FLAIR", "T1")
    ]
    study = _study(root, rows, {"WT": (1,)})
    for size, least in ((128, 0.95), (NATIVE, 1.0)):
        cache = VolumeCache.build(study, tmp_path, size=size)
        truth = cache.truth(0, "tumour")
        assert truth is not None
        assert truth.shape == (240, 240, 155, 1)
        back = cache.restore(0, cache.regions("tumour", cache.slices_of(0)))
        assert _dice(back >= 0.5, truth) >= least
        images = cache.read("flair", cache.slices_of(0))
        assert images.abs().max() <= 5
        assert torch.isfinite(images).all()


def test_a_subject_stored_as_dicom_slices_gives_the_slices_that_nifti_gives_and_a_changed_slice_prepares_it_again(
    tmp_path: Path,
) -> None:
    grey, mask = make_head()
    grey = grey.round()
    write_nifti(tmp_path / "nifti/flair.nii.gz", grey)
    write_nifti(tmp_path / "nifti/seg.nii.gz", mask)
    write_series(tmp_path / "dicom/flair", grey, LPS)
    shutil.copy(tmp_path / "nifti/seg.nii.gz", tmp_path / "dicom")
    caches = []
    for kind, name in (("nifti", "flair.nii.gz"), ("dicom", "flair")):
        study = _study(tmp_path / kind, [("a", "flair", name, "seg.nii.gz")])
        study.check_files()
        caches.append(VolumeCache.build(study, tmp_path / "cache", size=NATIVE))
    first, second = caches
    rows = first.slices_of(0)
    assert torch.equal(first.read("flair", rows), second.read("flair", rows))
    assert torch.equal(first.regions("tumour", rows), second.regions("tumour", rows))
    write_series(tmp_path / "other", np.where(grey > 0, grey + 50 * (grey > 300), 0), LPS)
    shutil.copy(tmp_path / "other/0006.dcm", tmp_path / "dicom/flair/0006.dcm")
    changed = VolumeCache.build(study, tmp_path / "cache", size=NATIVE)
    assert not torch.equal(changed.read("flair", rows), first.read("flair", rows))


def test_a_folder_is_no_file_of_a_task_that_asks_for_images(tmp_path: Path) -> None:
    write_series(tmp_path / "flair", make_head()[0].round(), LPS)
    write_nifti(tmp_path / "seg.nii.gz", make_head()[1])
    study = _study(tmp_path, [("a", "flair", "flair", "seg.nii.gz")])
    study.check_files()
    table = pd.concat([study.table, study.table.assign(subject="b", path="seg.nii.gz")]).assign(kind=["0", "1"])
    images = replace(study, table=table, tasks={"kind": Task("kind", ClassTarget(("0", "1")), ("flair",))})
    with pytest.raises(DrifaError, match=r"1 of 2 image files of study 'heads' are missing .* flair;"):
        images.check_files()
