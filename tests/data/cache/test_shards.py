"""Shards: where a list of images is cut, what a file's name depends on, and what is cleared away."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.cache import shards
from drifa.data.reading.images import read_image, resize
from drifa.errors import DrifaError


def test_an_added_image_moves_only_the_cuts_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 50 * 3 * 16 * 16)
    paths = [f"/data/image_{number:05d}.png" for number in range(5000)]

    def files(some: list[str]) -> set[Path]:
        plan = shards.plan_shards(Path("cache"), "photo", some, some, (3, 16, 16))
        assert [path for shard in plan for path in shard.paths] == some
        assert max(len(shard.paths) for shard in plan) <= 100
        return {shard.file for shard in plan}

    whole = files(paths)
    assert 50 < len(whole) < 200
    for missing in (0, 1234, 4999):
        assert len(whole - files(paths[:missing] + paths[missing + 1 :])) <= 4


def planned(folder: Path, paths: list[str], size: int = 8) -> shards.Shard:
    (shard,) = shards.plan_shards(folder, "photo", paths, shards.image_states(paths), (3, size, size))
    return shard


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Three small images."""
    random = np.random.default_rng(0)
    found = [tmp_path / f"{number}.png" for number in range(3)]
    for path in found:
        Image.fromarray(random.integers(0, 256, (10, 14, 3), dtype=np.uint8)).save(path)
    return [str(path) for path in found]


def test_readers_that_see_other_pixels_have_other_shards(
    tmp_path: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = planned(tmp_path, paths).file
    monkeypatch.setattr(shards, "READING", shards.READING + 1)
    assert planned(tmp_path, paths).file != before


def test_a_shard_is_complete_once_it_is_decoded_and_holds_the_resized_images(tmp_path: Path, paths: list[str]) -> None:
    shard, done = planned(tmp_path / "cache", paths), []
    shard.file.parent.mkdir()
    assert not shards.is_complete(shard)
    shards.decode(shard, "photo", done.append)
    assert shards.is_complete(shard)
    assert sum(done) == 3
    array = np.load(shard.file)
    for image, path in zip(array, paths, strict=True):
        np.testing.assert_array_equal(image, resize(read_image(path, 3), 8).transpose(2, 0, 1))
    # Of another shape, or cut off: not the file that is asked for.
    assert not shards.is_complete(replace(shard, shape=(1, 8, 8)))
    assert not shards.is_complete(replace(shard, paths=paths[:2]))
    shard.file.write_bytes(shard.file.read_bytes()[:-1])
    assert not shards.is_complete(shard)


def test_the_name_follows_the_state_of_the_files_and_the_shape(tmp_path: Path, paths: list[str]) -> None:
    names = [planned(tmp_path, paths).file.name, planned(tmp_path, paths).file.name, planned(tmp_path, paths, 9).file.name]
    os.utime(paths[1], ns=(1, 1))
    names.append(planned(tmp_path, paths).file.name)
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert names[0].startswith("photo-8px-")
    os.unlink(paths[1])
    with pytest.raises(DrifaError, match=r"1\.png cannot be opened \(No such file.*correct 'root' in study\.yaml"):
        shards.image_states(paths)


def test_what_was_used_is_not_cleared_away(tmp_path: Path) -> None:
    files = [tmp_path / f"photo-8px-{digit * 24}.npy" for digit in "ab"]
    for file in (*files, tmp_path / "mine.npy"):
        file.write_bytes(b"12345")
        os.utime(file, (1, 1))
    shards.mark_used(files[:1])
    shards.mark_used([tmp_path / "nowhere.npy"])
    assert shards.prune(tmp_path) == 5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.npy", files[0].name]
