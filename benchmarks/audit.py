"""How the audit's time grows with the number of images: reading, comparing, all.

    python benchmarks/audit.py                                  # synthetic JPEG files of 200 x 150 pixels
    python benchmarks/audit.py --study studies/ham10000         # the images of a study

Every hundredth synthetic image is a re-encoded, mirrored or turned copy of another; how many of them are found is printed too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from drifa.data import Study
from drifa.data.audit.examine import examine
from drifa.data.audit.pairs import study_pairs
from drifa.data.audit.reading import read_study
from drifa.data.study.schema import Modality, Task
from drifa.data.targets import ClassTarget


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 2000, 4000])
    parser.add_argument("--study", type=Path, help="a study folder, instead of synthetic images")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    if options.study is not None:
        study = Study.load(options.study)
        random = np.random.default_rng(0)
        for count in [size for size in options.images if size < len(study.table)]:
            rows = np.sort(random.permutation(len(study.table))[:count])
            part = study.table.iloc[rows].reset_index(drop=True)
            clock(replace(study, table=part, tasks={}))
        clock(replace(study, tasks={}))
        return
    for count in options.images:
        with tempfile.TemporaryDirectory() as folder:
            clock(synthetic(Path(folder), count))


def clock(study: Study) -> None:
    start, worked = time.perf_counter(), time.process_time()
    facts = read_study(study)
    read = time.perf_counter() - start
    pairs = study_pairs(study, facts.thumbnails, facts.digests)
    compared = time.perf_counter() - start - read
    examine(study, facts, pairs)
    seconds = time.perf_counter() - start
    planted = study.table["copy_of"].to_numpy() if "copy_of" in study.table else np.full(len(study.table), -1)
    found = {(pair.first, pair.second) for pair in pairs}
    hits = sum((int(original), row) in found for row, original in enumerate(planted) if original >= 0)
    told = f", {hits} of {int((planted >= 0).sum())} planted copies found" if (planted >= 0).any() else ""
    times = f"read {read:.1f} s, compare {compared:.1f} s, all {seconds:.1f} s ({time.process_time() - worked:.1f} s of CPU)"
    print(f"{len(study.table):6d} images: {times}, {len(pairs)} pairs{told}", flush=True)


def synthetic(folder: Path, count: int) -> Study:
    """Blobs in front of skin-like texture; the lossy files take as long to decode as photographs."""
    random = np.random.default_rng(0)
    origin = np.full(count, -1)
    for number in range(count):
        if number % 100 == 99:
            origin[number] = number - 99 + int(random.integers(0, 99))
            image = Image.open(folder / f"{origin[number]}.jpg").transpose(list(Image.Transpose)[number // 100 % 7])
        else:
            layers = [random.integers(0, 256, (cells, cells, 3), dtype=np.uint8) for cells in (4, 8, 16, 32, 64)]
            image = Image.fromarray(
                np.mean([Image.fromarray(layer).resize((200, 150), 3) for layer in layers], axis=0).astype(np.uint8)
            )
        image.save(folder / f"{number}.jpg", quality=85)
    names = [str(number) for number in range(count)]
    table = pd.DataFrame({"subject": names, "modality": "photo", "path": [f"{name}.jpg" for name in names], "copy_of": origin})
    table = table.assign(group=names, split="", kind=["ab"[number % 2] for number in range(count)])
    return Study(
        "synthetic", folder, table, {"photo": Modality("photo")}, {"kind": Task("kind", ClassTarget(("a", "b")), ("photo",))}
    )


if __name__ == "__main__":
    main()
