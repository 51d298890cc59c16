"""Cached maps are what the encoder gives, computed once, for the images and the encoder that they say."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from drifa.data.adapters.phantom import make_phantom
from drifa.data.cache import map_cache, shards
from drifa.data.cache.image_cache import ImageCache
from drifa.data.cache.map_cache import MapCache, MapEncoder
from drifa.data.cache.shards import prune
from drifa.data.study.study import Study
from drifa.errors import DrifaError

SHAPES = ((3, 4, 4), (1, 2, 2))


class Counted:
    """An encoder by hand that counts the images it is shown."""

    def __init__(self, factor: float = 1.0, stop_at: int = 10**9) -> None:
        self.factor, self.stop_at, self.seen = factor, stop_at, 0

    def __call__(self, images: Tensor) -> list[Tensor]:
        self.seen += len(images)
        if self.seen > self.stop_at:
            raise KeyboardInterrupt
        fine = self.factor * torch.nn.functional.avg_pool2d(images.float() / 255, 4)
        return [fine, torch.nn.functional.avg_pool2d(fine[:, :1], 2)]


def encoder(encode: Counted, key: str = "a") -> dict[str, MapEncoder]:
    return {"photo": MapEncoder(key, SHAPES, encode)}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_phantom(tmp_path / "study", subjects=12, image_size=32)


@pytest.fixture
def images(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageCache:
    """Twelve photos in several shards; three maps to a file."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 5 * 3 * 16 * 16)
    built = ImageCache.build(study, 16, tmp_path / "cache")
    monkeypatch.setattr(shards, "SHARD_BYTES", 3 * 2 * (48 + 4))
    monkeypatch.setattr(map_cache, "BATCH", 2)
    return built


def photos(study: Study) -> np.ndarray:
    return np.flatnonzero(study.table["modality"] == "photo")


def test_maps_are_those_of_the_images_by_row(study: Study, images: ImageCache, tmp_path: Path) -> None:
    encode = Counted()
    cache = MapCache.build(images, encoder(encode), tmp_path / "cache", 1)
    assert encode.seen == 12
    assert len(cache.files["photo"]) >= 4
    rows = np.concatenate([np.random.default_rng(0).permutation(photos(study)), [-1]])
    for one in (cache, pickle.loads(pickle.dumps(cache))):
        fine, coarse = one.read("photo", rows)
        assert (fine.dtype, tuple(fine.shape), tuple(coarse.shape)) == (torch.float16, (13, 3, 4, 4), (13, 1, 2, 2))
        expected = Counted()(images.read("photo", rows))
        torch.testing.assert_close(fine, expected[0].half(), rtol=0, atol=0)
        torch.testing.assert_close(coarse, expected[1].half(), rtol=0, atol=0)
    other = np.flatnonzero(study.table["modality"] == "ultrasound")[:2]
    assert torch.equal(cache.read("ultrasound", other), images.read("ultrasound", other))
    with pytest.raises(DrifaError, match="not an image of 'photo'"):
        cache.read("photo", other)


def test_maps_are_computed_once_for_an_encoder(images: ImageCache, tmp_path: Path) -> None:
    folder, encode, told = tmp_path / "cache", Counted(), []
    first = MapCache.build(images, encoder(encode), folder, 1, lambda *step: told.append(step))
    assert told[-1] == (12, 12, "maps of photo")
    again = MapCache.build(images, encoder(encode), folder, 1, lambda *step: pytest.fail("computed again"))
    assert encode.seen == 12
    assert again.files == first.files
    other = MapCache.build(images, encoder(Counted(2.0), "b"), folder, 1)
    assert not set(other.files["photo"]) & set(first.files["photo"])
    assert not set(images.files["photo"]) & set(first.files["photo"])
    assert prune(folder, days=-1) > 0
    assert not list(folder.glob("*.npy"))


def test_a_stopped_build_goes_on_behind_its_last_whole_file(images: ImageCache, tmp_path: Path) -> None:
    stopped, rest = Counted(stop_at=7), Counted()
    with pytest.raises(KeyboardInterrupt):
        MapCache.build(images, encoder(stopped), tmp_path / "cache", 1)
    whole = list((tmp_path / "cache").glob("photo-maps-*.npy"))
    assert whole
    assert not list((tmp_path / "cache").glob(".*"))
    MapCache.build(images, encoder(rest), tmp_path / "cache", 1)
    done = sum(len(np.load(file)) for file in whole)
    assert rest.seen == 12 - done


def test_a_damaged_file_is_made_again(images: ImageCache, tmp_path: Path) -> None:
    first = MapCache.build(images, encoder(Counted()), tmp_path / "cache", 1)
    file = first.files["photo"][0]
    content = file.read_bytes()
    file.write_bytes(content[:-3])
    MapCache.build(images, encoder(Counted()), tmp_path / "cache", 1)
    assert file.read_bytes() == content


def test_maps_that_are_too_large_are_refused_before_any_is_computed(images: ImageCache, tmp_path: Path) -> None:
    encode = Counted()
    with pytest.raises(DrifaError, match=r"encoder of photo would take 1\.25e-06 GB, more than data\.maps_gb=1e-06"):
        MapCache.build(images, encoder(encode), tmp_path / "cache", 1e-6)
    assert encode.seen == 0


def test_numbers_that_16_bit_cannot_hold_are_refused(images: ImageCache, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"'photo' gives numbers beyond .* data\.maps_gb=0"):
        MapCache.build(images, encoder(Counted(1e6)), tmp_path / "cache", 1)
    assert not list((tmp_path / "cache").glob("photo-maps-*"))
