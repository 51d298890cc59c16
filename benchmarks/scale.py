"""How long a study of a million rows takes to open, to split and to shuffle; no image is needed for that.

python benchmarks/scale.py                  # Parquet, rows in random order
python benchmarks/scale.py --csv
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from drifa.data import Study, split
from drifa.data.sampling.pairing import EpochPairing
from drifa.data.study.schema import Modality, Task
from drifa.data.targets import ClassTarget

CLASSES = tuple(f"class{number}" for number in range(7))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--csv", action="store_true", help="keep the table as CSV")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, options.rows, options.csv)
        with clock("load and check the table"):
            study = Study.load(folder)
        with clock("one entry per subject"):
            subjects = study.subjects()
        print(f"{len(subjects):,} subjects, {len(np.unique(subjects.group)):,} groups")
        with clock("strict split with receipt"):
            study, receipt = split(study)
        assert receipt["groups_in_two_splits"] == 0
        subjects = study.subjects()
        pairing = EpochPairing(subjects, subjects.in_split("train"), seed=0)
        with clock("samples of an epoch, shuffled"):
            pairing.epoch(0)


def write(folder: Path, rows: int, csv: bool) -> None:
    """A study of one modality and one task; a third of the groups have several subjects."""
    random = np.random.default_rng(0)
    number = random.permutation(rows)
    table = pd.DataFrame(
        {
            "subject": [f"S{one:07d}" for one in number],
            "modality": "photo",
            "path": [f"{one % 500:03d}/{one:07d}.png" for one in number],
            "group": [f"P{one:07d}" for one in random.integers(0, rows * 3 // 4, rows)],
            "split": "",
            "diagnosis": np.array(CLASSES)[random.integers(0, len(CLASSES), rows)],
        }
    )
    task = Task("diagnosis", ClassTarget(CLASSES), ("photo",))
    if not csv:
        table.to_parquet(folder / "study.parquet", index=False)
    Study("million", folder, table, {"photo": Modality("photo")}, {"diagnosis": task}).save(folder)


@contextmanager
def clock(what: str) -> Iterator[None]:
    start, worked = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - start:.2f} s ({time.process_time() - worked:.2f} s of CPU)", flush=True)


if __name__ == "__main__":
    main()
