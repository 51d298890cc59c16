"""Draws the truth (tinted) and the prediction (outlined) of a run's test subjects on the slice with the largest region, as PNG.

python results/brats/overlay.py runs/brats2018/jobs/drifa-s0-f1 overlay.png

The figure shows images of patients: it stays on your machine and is not part of the repository.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import binary_erosion

from drifa.data.reading.volumes import read_volume
from drifa.runs.run import Run

#: Orange, red and cyan: one per region, the outermost first.
COLOURS = np.array([[255, 150, 40], [230, 40, 60], [40, 200, 230]])
SCALE = 2


def main() -> None:
    run, out = Run.open(Path(sys.argv[1])), Path(sys.argv[2])
    study, task = run.study(), next(iter(run.info["regions"]))
    subjects, cache = study.subjects(), run.cache(study)
    rows = []
    for name in pd.read_csv(run.folder / "volumes.csv")["subject"].unique():
        number = subjects.ids.tolist().index(name)
        truth = cache.truth(number, task)
        assert truth is not None, "a judged subject has a mask"
        z = int(truth.any(axis=3).sum(axis=(0, 1)).argmax())
        labels = read_volume(run.folder / "predictions" / f"{name}_{task}.nii.gz").array[:, :, z]
        predicted = [np.isin(labels, values) for values in run.info["regions"][task].values()]
        images = [read_volume(study.image_path(int(image))).array[:, :, z] for image in subjects.image[number]]
        rows.append(np.concatenate([draw(image, np.moveaxis(truth[:, :, z], 2, 0), predicted) for image in images], axis=1))
        print(f"{name}: {', '.join(subjects.modalities)}, slice {z}")
    picture = Image.fromarray(np.concatenate(rows))
    picture.resize((SCALE * picture.width, SCALE * picture.height), Image.Resampling.NEAREST).save(out)
    print(f"wrote {out}")


def draw(image: np.ndarray, truth: np.ndarray, predicted: list[np.ndarray]) -> np.ndarray:
    """An axial slice with anterior up and the patient's right on the left. Shape: [X, Y] -> uint8 [Y, X, 3]."""
    grey = np.clip(255 * (image - image.min()) / max(np.ptp(image), 1e-9), 0, 255)
    plain = np.repeat(grey[..., None], 3, axis=2)
    colour = plain.copy()
    for k, region in enumerate(truth):  # the innermost region's tint stays
        colour[region] = 0.65 * plain[region] + 0.35 * COLOURS[k % len(COLOURS)]
    for k, region in enumerate(predicted):
        colour[region & ~binary_erosion(region)] = COLOURS[k % len(COLOURS)]
    return colour.transpose(1, 0, 2)[::-1, ::-1].astype(np.uint8)


if __name__ == "__main__":
    main()
