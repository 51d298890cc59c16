"""Writes seeded miniature BraTS subjects in the naming of a year; run as `python data.py FOLDER [NAMING]`, or call `write`."""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np

# Of each naming: the path of one file, its words for the modalities flair, t1, t1ce, t2, its word for the mask, and the mask
# values of oedema, core and enhancing tumour.
NAMINGS = {
    "brats2020": ("BraTS20_Training_{n:03d}/BraTS20_Training_{n:03d}_{k}.nii", "flair t1 t1ce t2", "seg", (2, 1, 4)),
    "brats2018": ("{g}/Brats18_X_{n}_1/Brats18_X_{n}_1_{k}.nii.gz", "flair t1 t1ce t2", "seg", (2, 1, 4)),
    "brats2018_demo": ("brats2018_case_{n}/{k}.nii.gz", "FLAIR T1", "GT_W", (1, 1, 1)),
    "brats2013": ("brats_2013_pat{n:04d}_1/{k}.nii.gz", "Flair_subtrMeanDivStd T1c_subtrMeanDivStd", "OTMultiClass", (2, 3, 4)),
    "brats2021": ("BraTS2021_{n:05d}/BraTS2021_{n:05d}_{k}.nii.gz", "flair t1 t1ce t2", "seg", (2, 1, 4)),
    "brats2023": ("BraTS-GLI-{h:05d}-{v:03d}/BraTS-GLI-{h:05d}-{v:03d}-{k}.nii.gz", "t2f t1n t1c t2w", "seg", (2, 1, 3)),
    "brats2020_slices": ("z{n:03d}/brats_train_001_{k}_{n:03d}_w.nii.gz", "flair t1 t1ce t2", "seg", (2, 1, 4)),
}


def write(folder: Path, naming: str = "brats2020", subjects: int = 4) -> None:
    """Nested blobs in a brain of noise; in BraTS 2020 one mask bears its foreign name and `name_mapping.csv` has the grades."""
    random = np.random.default_rng(0)
    pattern, kinds, mask_kind, values = NAMINGS[naming]
    shape = (24, 24) if naming.endswith("slices") else (24, 24, 16)
    axes = np.stack(np.meshgrid(*(np.arange(side) for side in shape), indexing="ij"))
    for number in range(1, subjects + 1):
        # Two visits of each patient, where the naming counts visits.
        words = {"n": number, "g": "HGG" if number % 2 else "LGG", "h": (number - 1) // 2, "v": (number - 1) % 2}
        center = np.array([random.integers(side // 3, 2 * side // 3) for side in shape]).reshape(-1, *[1] * len(shape))
        distance = np.sqrt(((axes - center) ** 2).sum(axis=0))
        mask = np.zeros(shape, dtype=np.int16)
        for radius, value in zip((5, 3, 2), values, strict=True):
            mask[distance < radius] = value
        for order, kind in enumerate(kinds.split()):
            image = random.normal(100 + 20 * order, 10, shape) + 40 * (mask > 0)
            _save(image.astype(np.float32), folder / pattern.format(k=kind, **words))
        _save(mask, folder / pattern.format(k=mask_kind, **words))
    if naming == "brats2020":
        home = folder / f"BraTS20_Training_{subjects:03d}"
        (home / f"{home.name}_seg.nii").rename(home / "W39_1998.09.19_Segm.nii")
        lines = ["Grade,BraTS_2019_subject_ID,BraTS_2020_subject_ID"]
        lines += [f"{'LGG' if n % 2 else 'HGG'},NA,BraTS20_Training_{n:03d}" for n in range(1, subjects + 1)]
        (folder / "name_mapping.csv").write_text("\n".join(lines) + "\n")


def _save(voxels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *sys.argv[2:3])
