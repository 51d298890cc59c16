"""Writes seeded images, a table of them, and its mapping; run as `python data.py FOLDER`, or call `write`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

MAPPING = """table: cases.csv
root: images
name: my_table
subject: case
group: patient
modalities:
  photo: {path: photo_file, channels: 3}
  ultrasound: {path: us_file, channels: 1}
tasks:
  diagnosis:
    column: dx
    classes: {B: benign, M: malignant}
  site:
    column: where
"""


def write(folder: Path, cases: int = 6) -> None:
    """One row per case, two cases per patient; the third case has no ultrasound, the last no label."""
    random = np.random.default_rng(0)
    lines = ["case,patient,photo_file,us_file,dx,where,age"]
    for number in range(1, cases + 1):
        names = [f"photo/{number:02d}.png", f"us/{number:02d}.png"]
        for name in names:
            path = folder / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
        label = "" if number == cases else "BM"[number % 2]
        ultrasound = "" if number == 3 else names[1]
        where = ("arm", "back")[number % 2]
        lines.append(f"C{number},{(number + 1) // 2:03d},{names[0]},{ultrasound},{label},{where},{40 + number}")
    (folder / "cases.csv").write_text("\n".join(lines) + "\n")
    (folder / "mapping.yaml").write_text(MAPPING)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
