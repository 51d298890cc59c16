"""Writes seeded images in folders by class, for two modalities; run as `python data.py FOLDER`, or call `write`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image


def write(folder: Path, patients: int = 6) -> None:
    """Two lesions of each patient, each as a photo and, but for the last lesion, as an ultrasound image."""
    random = np.random.default_rng(0)
    for number in range(2 * patients):
        for modality, ending in (("photo", "jpg"), ("ultrasound", "png")):
            if modality == "ultrasound" and number == 2 * patients - 1:
                continue
            home = folder / modality / ("benign", "malignant")[number % 2]
            home.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(home / f"P{number // 2:02d}_lesion{number % 2}.{ending}")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
