"""Writes a seeded miniature of IQ-OTH/NCCD in its real layout; run as `python data.py FOLDER`, or call `write`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

CASES = ("Bengin", "Malignant", "Normal")


def write(folder: Path, patients: int = 4, slices: int = 3) -> None:
    """Per class `patients` random blots in `slices` slightly different slices each, numbered from 1 without a break."""
    random = np.random.default_rng(0)
    for case in CASES:
        home = folder / "The IQ-OTHNCCD lung cancer dataset" / f"{case} cases"
        home.mkdir(parents=True)
        for patient in range(patients):
            blot = random.integers(0, 256, (8, 8), dtype=np.uint8)
            scan = np.asarray(Image.fromarray(blot).resize((48, 48), Image.Resampling.NEAREST), dtype=np.int16)
            for turn in range(slices):
                noisy = np.clip(scan + random.integers(-8, 9, scan.shape), 0, 255).astype(np.uint8)
                image = Image.fromarray(noisy).filter(ImageFilter.BoxBlur(1))
                image.save(home / f"{case} case ({patient * slices + turn + 1}).jpg")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
