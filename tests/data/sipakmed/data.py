"""Writes a seeded miniature of SIPaKMeD in its real layout; run as `python data.py FOLDER`, or call `write`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("Dyskeratotic", "Koilocytotic", "Metaplastic", "Parabasal", "Superficial-Intermediate")


def write(folder: Path, clusters: int = 4, cells: int = 2) -> None:
    """Per class `clusters` cluster images with `cells` crops each, beside the contour files and the whole images."""
    random = np.random.default_rng(0)
    for position, name in enumerate(CLASSES):
        # The archives unpack to a doubled folder; many copies have it single.
        home = folder / f"im_{name}" if position == 0 else folder / f"im_{name}" / f"im_{name}"
        (home / "CROPPED").mkdir(parents=True)
        for cluster in range(1, clusters + 1):
            _save(random, 40, home / f"{cluster:03d}.bmp")
            (home / f"{cluster:03d}_nuc01.dat").write_text("1.0,2.0\n")
            for cell in range(1, cells + 1):
                _save(random, 12, home / "CROPPED" / f"{cluster:03d}_{cell:02d}.bmp")
                (home / "CROPPED" / f"{cluster:03d}_{cell:02d}_cyt.dat").write_text("1.0,2.0\n")


def _save(random: np.random.Generator, size: int, path: Path) -> None:
    Image.fromarray(random.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(path)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
