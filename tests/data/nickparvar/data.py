"""Writes a seeded miniature of Nickparvar's MRI in its real layout; run as `python data.py FOLDER`, or call `write`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

SHORT = {"glioma": "gl", "meningioma": "me", "notumor": "no", "pituitary": "pi"}


def write(folder: Path, training: int = 6, testing: int = 2) -> None:
    """Images of each class, grey and RGB in turn; the first of every test class is a copy of the first in training."""
    random = np.random.default_rng(0)
    for side, tag, count in (("Training", "Tr", training), ("Testing", "Te", testing)):
        for name, short in SHORT.items():
            home = folder / side / name
            home.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                file = home / f"{tag}-{short}_{number + 10:04d}.jpg"
                Image.fromarray(pixels if number % 2 else pixels[:, :, 0]).save(file)
            if side == "Testing":
                twin = folder / "Training" / name / f"Tr-{short}_0010.jpg"
                (home / f"{tag}-{short}_0010.jpg").write_bytes(twin.read_bytes())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
