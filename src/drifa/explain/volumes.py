"""What a segmentation drew and where it hesitates: outlines of its regions, and their entropy, over slices of some volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from drifa.data import Study
from drifa.data.reading.volumes import Volume, read_volume
from drifa.data.targets import RegionTarget
from drifa.errors import DrifaError, suggest
from drifa.explain import figures
from drifa.explain.asked import chosen_rows, files_of, shows_patients
from drifa.explain.record import FORMAT
from drifa.files import write_bytes, write_json
from drifa.names import file_name
from drifa.prediction.cases import Case, check_cases
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress

#: The slices that are drawn of a case.
MIDDLE, MOST = "middle", "most_uncertain"
#: Percentiles of the foreground that are black and white.
BLACK, WHITE = 1, 99


@dataclass(frozen=True)
class SliceRecord:
    """One axial slice as it is, with the outlines of its regions, and under their entropy.

    Attributes:
        file: The picture of all three, relative to `explain.json`.
        plane: Its number from the lowest of the volume, which is 0.
        entropy: Mean over its pixels, nats.
    """

    file: str
    plane: int
    entropy: float


@dataclass(frozen=True)
class VolumeRecord:
    """One case.

    Attributes:
        subject: Its name.
        images: Its volumes by modality.
        modality: The one that is drawn.
        true: The tasks of which the true regions are drawn too.
        tasks: Task -> ``middle`` and ``most_uncertain`` -> slice.
    """

    subject: str
    images: Mapping[str, str]
    modality: str
    true: tuple[str, ...]
    tasks: Mapping[str, Mapping[str, SliceRecord]]


@dataclass(frozen=True)
class VolumeExplanation:
    """What `drifa explain` found of a segmentation.

    Attributes:
        run: Its folder.
        members: How many networks.
        mode: How they were asked, see :data:`drifa.uncertainty.modes.MODES`.
        cases: Those that were drawn.
        patients: Whether the overlays may show somebody.
    """

    run: str
    members: int
    mode: str
    cases: tuple[VolumeRecord, ...]
    patients: bool

    def told(self) -> list[str]:
        """Every case and task in a sentence."""
        return [
            f"{case.subject}  {task}: most uncertain in plane {slices[MOST].plane} ({slices[MOST].entropy:.3f} nats a pixel)"
            for case in self.cases
            for task, slices in case.tasks.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain data; the format number comes first."""
        return {"drifa_explanation": FORMAT, **asdict(self)}


def explain_volumes(
    predictor: Predictor,
    cases: int = 4,
    subject: str | None = None,
    case: Case | None = None,
    task: str | None = None,
    progress: Progress | None = None,
) -> tuple[Path, VolumeExplanation]:
    """Draws the regions of some volumes, and where they are uncertain.

    Arguments and files are as of :func:`drifa.explain.explain.explain`.

    Args:
        predictor: Of a segmentation run.
        cases: How many test cases, evenly spread over the test split.
        subject: Draw this subject of the study instead.
        case: Draw these volumes instead.
        task: Draw this task alone.
        progress: Called with (done, total, what) after each case.

    Raises:
        DrifaError: A name is unknown, or volumes cannot be read.
    """
    if task is not None and task not in predictor.regions:
        raise DrifaError(f"task {task!r} is not one of this run{suggest(task, predictor.regions)}")
    study, known = predictor.run.study(), predictor.run.info.modalities
    masks: list[dict[str, Path]] = [{}]
    if case is not None:
        asked = [case]
    else:
        subjects = study.subjects()
        rows = chosen_rows(subjects, cases, subject)
        files = files_of(study, subjects, rows)
        asked = [Case(str(name), own) for name, own in zip(subjects.ids[rows], files, strict=True)]
        masks = [
            {name: path for name in predictor.regions if (path := study.mask_paths(name)[row]) is not None} for row in rows
        ]
    check_cases(asked, known, predictor.encoders)
    root = predictor.run.folder / "explain"
    out = root if subject is None and case is None else root / file_name(asked[0].subject)
    pictures: dict[str, bytes] = {}
    records = []
    for number, (one, own_masks) in enumerate(zip(asked, masks, strict=True), start=1):
        one = replace(one, images={name: one.images[name] for name in known if name in one.images})
        found = predictor.segment(one)
        names = [task] if task else list(predictor.regions)
        true = {name: _true(study, name, own_masks[name]) for name in names if name in own_masks}
        tasks = {}
        for name in names:
            file = f"maps/{number}-{file_name(one.subject)}-{name}"
            tasks[name] = _slices(found.probabilities[name], found.volume, true.get(name), file, pictures)
        images = {name: str(path) for name, path in one.images.items()}
        records.append(VolumeRecord(one.subject, images, next(iter(images)), tuple(true), tasks))
        if progress:
            progress(number, len(asked), "segmenting volumes")
    patients = shows_patients([one.images for one in asked], study)
    explanation = VolumeExplanation(str(predictor.run.folder), len(predictor.nets), predictor.mode, tuple(records), patients)
    for file, picture in pictures.items():
        write_bytes(out / file, picture)
    write_json(out / "explain.json", explanation.to_json())
    return out, explanation


def entropy_of_regions(probabilities: np.ndarray) -> np.ndarray:
    """The largest entropy that any region has in a voxel, nats, at most ln 2: ``[X, Y, Z, R]`` -> ``[X, Y, Z]``."""
    p = probabilities.clip(1e-12, 1 - 1e-7)  # float32 has nothing between the last and 1
    return np.where(probabilities > 0, -(p * np.log(p) + (1 - p) * np.log1p(-p)), 0).max(axis=-1)


def _true(study: Study, task: str, mask: Path) -> np.ndarray:
    """The regions of a mask: bool ``[X, Y, Z, R]``."""
    target = study.tasks[task].target
    assert isinstance(target, RegionTarget), "a task of regions has a target of regions"
    return np.moveaxis(target.stack(target.checked_mask(read_volume(mask), task)), 0, 3)


def _slices(
    probabilities: np.ndarray, volume: Volume, true: np.ndarray | None, name: str, pictures: dict[str, bytes]
) -> dict[str, SliceRecord]:
    entropy = entropy_of_regions(probabilities)
    seen = np.flatnonzero((probabilities > 0).any(axis=(0, 1, 3)))
    planes = {MIDDLE: int(seen[len(seen) // 2]) if len(seen) else entropy.shape[2] // 2}
    planes[MOST] = int(entropy.sum(axis=(0, 1)).argmax())
    inside = volume.array[(probabilities > 0).any(axis=-1)]
    black, white = np.percentile(inside if inside.size else volume.array, (BLACK, WHITE))
    records = {}
    for which, plane in planes.items():
        grey = np.clip((volume.array[:, :, plane] - black) / max(white - black, 1e-12), 0, 1)
        pixels = (_shown(grey) * 255).round().astype(np.uint8)[..., None]
        file = f"{name}-{which}.png"
        known = None if true is None else _shown(true[:, :, plane])
        regions = figures.outlined(pixels, _shown(probabilities[:, :, plane] >= 0.5), known)
        plain, uncertain = np.split(figures.overlay(pixels, _shown(entropy[:, :, plane]) / np.log(2)), 2, axis=1)
        pictures[file] = figures.png(np.concatenate([plain, regions, uncertain], axis=1))
        records[which] = SliceRecord(file, plane, float(entropy[:, :, plane].mean()))
    return records


def _shown(plane: np.ndarray) -> np.ndarray:
    """``[X, Y, ...]`` as radiologists look at it, ``[Y, X, ...]``: anterior above, the patient's right on the left."""
    return np.ascontiguousarray(plane.swapaxes(0, 1)[::-1, ::-1])
