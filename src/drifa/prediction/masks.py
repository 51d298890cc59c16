"""Predicted regions as mask files, and their sizes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from drifa.data.reading.volumes import Volume, write_mask
from drifa.errors import DrifaError
from drifa.names import file_name
from drifa.tasks.regions import RegionAnswer

#: The ends of the interval of a region's size over the draws.
QUANTILES = (0.025, 0.975)


def write_predictions(
    folder: Path, subject: str, task: str, regions: Mapping[str, Sequence[int]], predicted: np.ndarray, volume: Volume
) -> list[Path]:
    """Writes predicted regions (bool ``[X, Y, Z, R]``) as SUBJECT_TASK.nii.gz on a volume's grid; see :func:`label_maps`."""
    masks = label_maps(predicted, regions)
    return [write_mask(path, masks[suffix], volume) for suffix, path in mask_files(folder, subject, task, masks).items()]


def mask_files(folder: Path, subject: str, task: str, suffixes: Iterable[str]) -> dict[str, Path]:
    """Where :func:`write_predictions` writes the masks of a subject, by file name suffix.

    Raises:
        DrifaError: Two of them would be one file.
    """
    found: dict[str, Path] = {}
    for suffix in suffixes:
        path = folder / f"{file_name(f'{subject}_{task}{suffix}')}.nii.gz"
        same = [other for other, taken in found.items() if taken.name.casefold() == path.name.casefold()]
        if same:
            names = f"{same[0].removeprefix('_')!r} and {suffix.removeprefix('_')!r}"
            raise DrifaError(f"regions {names} of task {task!r} would both be written to {path}; rename one of them")
        found[suffix] = path
    return found


def check_mask_files(folder: Path, subjects: Iterable[str], tasks: Mapping[str, Mapping[str, Sequence[int]]]) -> list[Path]:
    """Every file that the masks of some subjects would be written to.

    Args:
        folder: Where to.
        subjects: Their ids.
        tasks: Task -> region -> mask values.

    Raises:
        DrifaError: Two subjects, or two regions, would be written to one file.
    """
    owner: dict[Path, str] = {}
    for subject in subjects:
        for task, regions in tasks.items():
            for path in mask_files(folder, subject, task, mask_suffixes(regions)).values():
                if path in owner:
                    raise DrifaError(
                        f"subjects {owner[path]!r} and {subject!r} would both be written to {path}; rename one of them"
                    )
                owner[path] = subject
    return list(owner)


def mask_suffixes(regions: Mapping[str, Sequence[int]]) -> list[str]:
    """The keys of :func:`label_maps`: one empty text where the regions are nested, else one for each."""
    values = [set(group) for group in regions.values()]
    nested = all(inner < outer for outer, inner in itertools.pairwise(values))
    return [""] if nested else [f"_{name}" for name in regions]


def label_maps(predicted: np.ndarray, regions: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Predicted regions as mask values.

    A voxel takes the least value that its innermost region has and the regions inside that one have not. Where regions are not
    nested from the first to the last, a mask has no such value: each region is then a mask of its own.

    Args:
        predicted: bool ``[X, Y, Z, R]``.
        regions: Name -> mask values, in the order of R.

    Returns:
        File name suffix -> uint8 ``[X, Y, Z]``.
    """
    values = [set(group) for group in regions.values()]
    if mask_suffixes(regions) != [""]:
        return {f"_{name}": predicted[..., k].astype(np.uint8) for k, name in enumerate(regions)}
    mask = np.zeros(predicted.shape[:3], dtype=np.uint8)
    for k, group in enumerate(values):
        inside = set().union(*values[k + 1 :])
        mask[predicted[..., k]] = min(group - inside)
    return {"": mask}


def region_figures(
    probabilities: np.ndarray, regions: Mapping[str, Sequence[int]], spacing: Sequence[float], drawn: np.ndarray
) -> dict[str, RegionAnswer]:
    """Region -> its size and uncertainty.

    Args:
        probabilities: float32 ``[X, Y, Z, R]``.
        regions: Name -> mask values, in the order of R.
        spacing: Of the voxels, mm.
        drawn: Voxels of each region by draw. int64 ``[T, R]``
    """
    return {name: _figures(probabilities[..., k], spacing, drawn[:, k]) for k, name in enumerate(regions)}


def _figures(probability: np.ndarray, spacing: Sequence[float], drawn: np.ndarray) -> RegionAnswer:
    inside = probability[probability >= 0.5].astype(np.float64)
    entropy = -(inside * np.log(inside) + (1 - inside) * np.log(np.maximum(1 - inside, 1e-12)))
    voxel = float(np.prod(spacing) / 1000)
    ends = [float(end * voxel) for end in np.quantile(drawn, QUANTILES)] if len(drawn) > 1 else None
    return RegionAnswer(
        len(inside) * voxel, float(entropy.mean()) if len(inside) else None, None if ends is None else (ends[0], ends[1])
    )
