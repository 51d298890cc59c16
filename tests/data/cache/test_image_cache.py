"""What the cache serves is what reading the file now would give."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.adapters.phantom import make_phantom
from drifa.data.cache import mapped, shards
from drifa.data.cache.image_cache import ImageCache
from drifa.data.cache.shards import prune
from drifa.data.reading.images import read_image, resize
from drifa.data.splits.split import split
from drifa.data.study.study import Study
from drifa.errors import DrifaError

# A forked process has the imports and the small shards of the test.
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def own(tmp_path: Path) -> Study:
    """A phantom that the test may damage."""
    return make_phantom(tmp_path / "study", subjects=12, image_size=32)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some images of 16 pixels per shard, so that the twelve of a modality lie in several."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 3 * 3 * 16 * 16)


def _direct(study: Study, row: int, size: int) -> np.ndarray:
    channels = study.modalities[study.table["modality"].iloc[row]].channels
    return resize(read_image(study.image_path(row), channels), size).transpose(2, 0, 1)


def _count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []

    def counting(path: str, channels: int) -> np.ndarray:
        read.append(path)
        return read_image(path, channels)

    monkeypatch.setattr(shards, "read_image", counting)
    return read


def test_the_cache_holds_exactly_the_decoded_and_resized_images(phantom: Study, tmp_path: Path) -> None:
    shuffled = np.random.default_rng(0).permutation(len(phantom.table))
    built = ImageCache.build(phantom, 24, tmp_path)
    for name, modality in phantom.modalities.items():
        rows = shuffled[phantom.table["modality"].to_numpy()[shuffled] == name][:20]
        images = built.read(name, rows)
        assert tuple(images.shape) == (20, modality.channels, 24, 24)
        for image, row in zip(images.numpy(), rows, strict=True):
            np.testing.assert_array_equal(image, _direct(phantom, int(row), 24))


def test_nobody_is_an_image_of_zeros_and_foreign_rows_are_refused(own: Study, tmp_path: Path) -> None:
    built = ImageCache.build(own, 16, tmp_path)
    photo = int(np.flatnonzero(own.table["modality"] == "photo")[0])
    images = built.read("photo", np.array([-1, photo, -1]))
    assert images[[0, 2]].eq(0).all()
    assert images[1].ne(0).any()
    with pytest.raises(DrifaError, match=f"row {photo} of the study's table is not an image of 'ultrasound'"):
        built.read("ultrasound", np.array([photo]))
    with pytest.raises(DrifaError, match="not 'mri'"):
        built.read("mri", np.array([-1]))


def test_a_finished_cache_is_reused_by_every_study_of_the_same_images(
    own: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _count(monkeypatch)
    told: list[tuple[int, int, str]] = []
    ImageCache.build(own, 16, tmp_path, lambda *step: told.append(step))
    assert len(read) == 24
    assert [step for step in told if step[0] == step[1]] == [(12, 12, "photo"), (12, 12, "ultrasound")]
    ImageCache.build(own, 16, tmp_path, lambda *step: pytest.fail("decoded again"))
    chosen = split(own, fractions=(0.5, 0.25, 0.25))[0].select(["ultrasound"])
    again = ImageCache.build(chosen, 16, tmp_path)
    assert len(read) == 24
    np.testing.assert_array_equal(again.read("ultrasound", np.array([3]))[0], _direct(chosen, 3, 16))


def test_a_rewritten_image_is_read_again(own: Study, tmp_path: Path) -> None:
    ImageCache.build(own, 16, tmp_path)
    first, second = own.image_path(0), own.image_path(1)
    shutil.copyfile(second, first)
    os.utime(first, ns=(1, 1))
    np.testing.assert_array_equal(ImageCache.build(own, 16, tmp_path).read("photo", np.array([0]))[0], _direct(own, 1, 16))


def test_an_image_of_the_same_size_but_another_time_is_read_again(
    own: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_shards: None
) -> None:
    before = ImageCache.build(own, 16, tmp_path)
    path = own.image_path(int(np.flatnonzero(own.table["modality"] == "photo")[3]))
    content = bytearray(path.read_bytes())
    read = _count(monkeypatch)
    path.write_bytes(content)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    after = ImageCache.build(own, 16, tmp_path)
    # Only its own shard is decoded again, and the file that an open cache maps is not touched.
    assert str(path) in read
    assert len(read) < 12
    assert len(set(before.files["photo"]) - set(after.files["photo"])) == 1
    assert all(file.is_file() for file in before.files["photo"])


def test_an_image_replaced_by_one_of_its_size_and_time_is_read_again(own: Study, tmp_path: Path, small_shards: None) -> None:
    path = own.image_path(0)
    pixels = np.asarray(Image.open(path))
    path = path.rename(path.with_suffix(".bmp"))  # without compression every image has one size
    own.table.loc[0, "path"] = path.relative_to(own.root).as_posix()
    Image.fromarray(pixels).save(path)
    before, status = ImageCache.build(own, 16, tmp_path).read("photo", np.array([0])), path.stat()
    Image.fromarray(255 - pixels).save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    after = ImageCache.build(own, 16, tmp_path).read("photo", np.array([0]))
    assert not np.array_equal(before, after)


def test_many_shards_serve_the_same_images_as_one(own: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ImageCache.build(own, 16, tmp_path / "whole")
    monkeypatch.setattr(shards, "SHARD_BYTES", 3 * 16 * 16)  # one image of three channels
    monkeypatch.setattr(mapped, "OPEN_SHARDS", 2)
    cut = ImageCache.build(own, 16, tmp_path / "cut")
    assert len(whole.files["photo"]) == 1
    assert len(cut.files["photo"]) == 12
    rows = np.random.default_rng(0).permutation(np.flatnonzero(own.table["modality"] == "photo"))
    rows = np.concatenate([rows, [-1], rows[:4]])
    assert cut.read("photo", rows).equal(whole.read("photo", rows))
    assert len(cut._mapped) <= 2


def test_a_killed_build_goes_on_with_the_shards_it_finished(
    own: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_shards: None
) -> None:
    place = tmp_path / "cache"

    def die(done: int, total: int, modality: str) -> None:
        if done == total:  # no shard holds more than half of a modality, so this one is not the first
            os.kill(os.getpid(), signal.SIGKILL)

    process = FORK.Process(target=ImageCache.build, args=(own, 16, place, die))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    finished = {file: file.stat().st_ino for file in place.glob("[!.]*.npy")}
    assert finished
    assert list(place.glob(".*.tmp"))  # what was being written when the process died
    kept = sum(np.load(file, mmap_mode="r").shape[0] for file in finished)
    read = _count(monkeypatch)
    built = ImageCache.build(own, 16, place)
    assert len(read) == 24 - kept
    assert {file: file.stat().st_ino for file in finished} == finished
    for row in (0, 5, 13, 23):
        name = own.table["modality"].iloc[row]
        np.testing.assert_array_equal(built.read(name, np.array([row]))[0], _direct(own, row, 16))


def test_two_processes_may_build_one_cache_at_once(own: Study, tmp_path: Path, small_shards: None) -> None:
    start = FORK.Barrier(2)

    def build() -> None:
        start.wait()
        ImageCache.build(own, 16, tmp_path / "cache")

    both = [FORK.Process(target=build) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert not list((tmp_path / "cache").glob(".*"))
    built = ImageCache.build(own, 16, tmp_path / "cache", lambda *step: pytest.fail("decoded again"))
    for row in range(len(own.table)):
        name = own.table["modality"].iloc[row]
        np.testing.assert_array_equal(built.read(name, np.array([row]))[0], _direct(own, row, 16))


def test_a_full_disk_is_named_and_costs_only_the_shard_at_work(
    own: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_shards: None
) -> None:
    read = _count(monkeypatch)

    def full(*step: object) -> None:
        if len(read) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DrifaError, match=r"the disk of .*cache is full; .* make room"):
        ImageCache.build(own, 16, tmp_path / "cache", full)
    kept = sum(np.load(file, mmap_mode="r").shape[0] for file in (tmp_path / "cache").iterdir())
    assert kept > 0
    read.clear()
    ImageCache.build(own, 16, tmp_path / "cache")
    assert len(read) == 24 - kept


def test_pruning_takes_old_shards_and_leftovers_and_nothing_else(own: Study, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    old = ImageCache.build(own, 20, place)
    used = ImageCache.build(own, 16, place)
    left = place / f".photo-16px-{'0' * 24}.npy.17.0123abcd.tmp"
    for name in (left, place / "mine.npy", place / "notes.txt"):
        name.write_bytes(b"12345")
    for file in place.iterdir():
        os.utime(file, (1, 1))
    ImageCache.build(own, 16, place)  # what is opened counts as used
    size = sum(file.stat().st_size for files in old.files.values() for file in files)
    assert prune(place) == size + 5
    kept = {file for files in used.files.values() for file in files} | {place / "mine.npy", place / "notes.txt"}
    assert set(place.iterdir()) == kept
    assert prune(tmp_path / "nowhere") == 0
    with pytest.raises(DrifaError, match="was deleted while it was in use"):
        old.read("photo", np.array([0]))


def test_another_size_is_another_cache(own: Study, tmp_path: Path) -> None:
    ImageCache.build(own, 16, tmp_path)
    assert tuple(ImageCache.build(own, 20, tmp_path).read("photo", np.array([0])).shape) == (1, 3, 20, 20)


def test_a_build_that_is_cut_short_leaves_nothing_behind(own: Study, tmp_path: Path) -> None:
    def stop(done: int, total: int, modality: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ImageCache.build(own, 16, tmp_path / "cache", stop)
    own.image_path(2).write_bytes(b"")
    with pytest.raises(DrifaError, match=own.table["path"].iloc[2]):
        ImageCache.build(own, 16, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_cache_file_is_built_again(own: Study, tmp_path: Path) -> None:
    built = ImageCache.build(own, 16, tmp_path)
    file = built.files["photo"][0]
    content = file.read_bytes()
    for broken in (content[:-100], b"", b"something else"):
        file.write_bytes(broken)
        np.testing.assert_array_equal(ImageCache.build(own, 16, tmp_path).read("photo", np.array([0]))[0], _direct(own, 0, 16))


def test_images_that_change_while_being_read_are_not_cached(own: Study, tmp_path: Path) -> None:
    def rewrite(done: int, total: int, modality: str) -> None:
        os.utime(own.image_path(0), ns=(1, 1))

    with pytest.raises(DrifaError, match="changed while they were being cached"):
        ImageCache.build(own, 16, tmp_path / "cache", rewrite)


def test_a_missing_image_is_named(own: Study, tmp_path: Path) -> None:
    own.image_path(5).unlink()
    with pytest.raises(DrifaError, match=own.table["path"].iloc[5]):
        ImageCache.build(own, 16, tmp_path)


def test_a_cache_travels_to_other_processes_without_its_pixels(phantom: Study, tmp_path: Path) -> None:
    built = ImageCache.build(phantom, 32, tmp_path)
    expected = built.read("photo", np.array([0, 1]))
    sent = pickle.dumps(built)
    assert len(sent) < built.files["photo"][0].stat().st_size / 10
    assert pickle.loads(sent).read("photo", np.array([0, 1])).equal(expected)
