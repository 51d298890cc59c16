"""Augmented training batches: the image cache with `augment` against torchvision's ImageFolder reading the files each time.

    python benchmarks/batches.py

Both resize to 128 pixels, rotate by up to 20 degrees, shift by up to 5 pixels and normalise, in batches of 32 in random order.
They run in turns in one process; printed are medians of images per second and of the ratios of a round. The cache is built
beforehand (that is timed apart: once per study, not per epoch). Images: HAM10000 below DRIFA_DATA, else the phantom.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision.transforms import InterpolationMode, v2

from drifa.data import ImageCache, Study, make_phantom, prepare
from drifa.data.sampling.augment import augment
from drifa.networks.inputs import standardise, to_float

SIZE, BATCH = 128, 32


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1024, help="per round and pipeline")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        study, task = some_study(Path(place))
        modality = study.tasks[task].modalities[0]
        rows = np.flatnonzero(((study.table["modality"] == modality) & (study.table[task] != "")).to_numpy())
        start = time.perf_counter()
        cache = ImageCache.build(study, SIZE, Path(place) / "cache")
        seconds = time.perf_counter() - start
        print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, {torch.get_num_threads()} thread")
        print(f"{study.name}: {len(rows)} images; cache built with {len(study.table) / seconds:.0f} images/s")
        folder = image_folder(study, rows, task, Path(place) / "folder")
        count = min(options.images, len(rows))
        ways: dict[str, Callable[[], Iterable[torch.Tensor]]] = {
            "cache": lambda: from_cache(cache, modality, rows, count),
            "ImageFolder, no workers": lambda: from_files(folder, count, 0),
            "ImageFolder, 2 workers": lambda: from_files(folder, count, 2),
        }
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(options.rounds + 1):
            for name, way in ways.items():
                speed = images_per_second(way)
                if number:  # the first round warms up
                    speeds[name].append(speed)
    for name, measured in speeds.items():
        ratios = [ours / theirs for ours, theirs in zip(speeds["cache"], measured, strict=True)]
        compared = f"; cache is {statistics.median(ratios):.1f} times as fast ({min(ratios):.1f}-{max(ratios):.1f})"
        print(f"{name}: {statistics.median(measured):.0f} images/s{compared if name != 'cache' else ''}")


def some_study(place: Path) -> tuple[Study, str]:
    real = Path(os.environ.get("DRIFA_DATA", "")) / "ham10000"
    if os.environ.get("DRIFA_DATA") and real.is_dir():
        study = prepare("ham10000", real, place / "study")
    else:
        study = make_phantom(place / "study", 600, image_size=192)
    return study, next(iter(study.tasks))


def image_folder(study: Study, rows: np.ndarray, task: str, folder: Path) -> Path:
    """The images as torchvision wants them: links in one folder per class."""
    for row in rows:
        target = folder / study.table[task].iloc[row] / f"{row}{study.image_path(row).suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(study.image_path(row))
    return folder


def from_cache(cache: ImageCache, modality: str, rows: np.ndarray, count: int) -> Iterable[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    order = np.random.default_rng().permutation(rows)[:count]
    for start in range(0, count, BATCH):
        images = to_float(cache.read(modality, order[start : start + BATCH]))
        yield standardise(augment(images, generator, degrees=20, shift=5))


def from_files(folder: Path, count: int, workers: int) -> Iterable[torch.Tensor]:
    steps = [
        v2.Resize((SIZE, SIZE)),
        v2.RandomAffine(20, translate=(5 / SIZE, 5 / SIZE), interpolation=InterpolationMode.BILINEAR),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.5] * 3),
    ]
    images = torchvision.datasets.ImageFolder(str(folder), v2.Compose(steps))
    chosen = torch.utils.data.Subset(images, torch.randperm(len(images))[:count].tolist())
    for batch, _ in DataLoader(chosen, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0):
        yield batch


def images_per_second(way: Callable[[], Iterable[torch.Tensor]]) -> float:
    """From the second batch on: starting workers is no part of an epoch's speed."""
    batches = iter(way())
    next(batches)
    done, start = 0, time.perf_counter()
    for batch in batches:
        done += len(batch)
    return done / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
