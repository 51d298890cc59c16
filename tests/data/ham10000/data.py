"""Writes a seeded miniature of HAM10000 in its real layout; run as `python data.py FOLDER`, or call `write`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


def write(folder: Path, per_class: int = 5) -> None:
    """`per_class` images of each class; the first two of each are of one lesion; halves in two image folders."""
    random = np.random.default_rng(0)
    lines = [HEADER]
    for number in range(per_class * len(CLASSES)):
        kind, turn = divmod(number, per_class)
        image_id, lesion = f"ISIC_{24306 + number:07d}", f"HAM_{100 * kind + max(turn - 1, 0):07d}"
        age = "" if number == 3 else "45.0"
        lines.append(f"{lesion},{image_id},{CLASSES[kind]},histo,{age},male,back")
        parent = folder / f"HAM10000_images_part_{1 + number % 2}"
        parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (15, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(parent / f"{image_id}.{('jpg', 'png', 'bmp')[number % 3]}")
    (folder / "HAM10000_metadata.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
