"""What the cache serves is what reading the file now would give."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from drifa.data import cache as cache_module
from drifa.data.cache import ImageCache
from drifa.data.images import read_image, resize
from drifa.data.phantom import make_phantom
from drifa.data.splits import split
from drifa.data.study import Study
from drifa.errors import DrifaError


@pytest.fixture
def own(tmp_path: Path) -> Study:
    """A phantom that the test may damage."""
    return make_phantom(tmp_path / "study", subjects=12, image_size=32)


def _direct(study: Study, row: int, size: int) -> np.ndarray:
    channels = study.modalities[study.table["modality"].iloc[row]].channels
    return resize(read_image(study.image_path(row), channels), size).transpose(2, 0, 1)


def _count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []

    def counting(path: str, channels: int) -> np.ndarray:
        read.append(path)
        return read_image(path, channels)

    monkeypatch.setattr(cache_module, "read_image", counting)
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
    content = built.files["photo"].read_bytes()
    for broken in (content[:-100], b"", b"something else"):
        built.files["photo"].write_bytes(broken)
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
    assert len(sent) < built.files["photo"].stat().st_size / 10
    assert pickle.loads(sent).read("photo", np.array([0, 1])).equal(expected)
