"""drifa data preview: what a network will see, raw and augmented, as one page to look at before anything is trained."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import binary_erosion

from drifa.backbones.weights import input_normalisation
from drifa.config import AugmentConfig, Config
from drifa.data import ImageCache, Study, split
from drifa.data.cache.volume_cache import VolumeCache
from drifa.data.sampling.batch import Batch
from drifa.data.sampling.slice_batches import SliceSource
from drifa.data.targets import Reads
from drifa.errors import DrifaError
from drifa.files import write_text
from drifa.progress import Progress
from drifa.report.study import is_phantom
from drifa.report.write import page_environment
from drifa.runs.run import load_study
from drifa.training.job import check_images
from drifa.training.mappings import check_mappings
from drifa.training.module import AUGMENTS
from drifa.version import __version__

#: Outlines of regions, one colour each.
COLOURS = ((255, 150, 40), (230, 40, 60), (40, 200, 230), (120, 220, 80))
#: Grey values of a slice between black and white, in standard deviations from the mean of its volume.
WINDOW = 3.0
#: Settings of `train` that change the rows of a batch beside the augmentation.
UNSEEN = ("modality_dropout", "mixup")


@dataclass(frozen=True)
class Group:
    """Subjects of the training split that share a class, or a part of the numbers.

    Attributes:
        task: Name of the task.
        title: Of the class.
        shown: Indices of the subjects that are drawn. int64 [n]
        count: How many there are.
    """

    task: str
    title: str
    shown: np.ndarray
    count: int


def write_preview(
    config: Config, out: str | Path, per_class: int = 4, seed: int = 0, progress: Progress | None = None
) -> tuple[Path, list[Group]]:
    """Writes a page of training images by class and modality, sized and augmented by the code that trains.

    The page needs no network, no script and no other file. It shows the training split alone: who chooses an augmentation by
    the test images has seen them.

    Args:
        config: As for training.
        out: The HTML file.
        per_class: Subjects per class; of a number, per quarter of its range.
        seed: Of the choice of subjects and of the augmentation.
        progress: Called with (done, total, modality) while images are decoded.

    Returns:
        The file, and what is on it.

    Raises:
        DrifaError: The configuration, the study or the file does not fit; nothing is written then.
    """
    out = Path(out)
    if per_class < 1:
        raise DrifaError(f"--per-class {per_class} shows nothing; take 1 or more")
    if out.is_dir():
        raise DrifaError(f"--out {out} is a folder; name a file in it, such as {out / 'preview.html'}")
    if out.suffix.lower() not in (".html", ".htm"):
        raise DrifaError(f"--out {out} is not named like a page; take {out.with_suffix('.html')}")
    study, _ = split(load_study(config), **config.data.split_settings)
    check_mappings(config, study)
    check_images(config, study)
    groups = choose_subjects(study, per_class, seed)
    if not any(group.count for group in groups):
        raise DrifaError(f"study {study.name!r} has no training image with a known answer; give it a task, or another split")
    ids = study.subjects().ids
    small = _only(study, ids[np.unique(np.concatenate([group.shown for group in groups]))])
    reads = study.reads()
    with TemporaryDirectory() as folder:
        raw = BATCHES[reads](small, config.data.image_size, Path(folder), progress)
    normalisation = _normalisation(config, small)
    augmented = AUGMENTS[reads](raw, torch.Generator().manual_seed(seed), config.data, normalisation)
    pictures = {"raw": PICTURES[reads](raw, {}), "augmented": PICTURES[reads](augmented, normalisation)}
    page = (
        page_environment()
        .get_template("preview.jinja")
        .render(
            study=study,
            patients=not is_phantom(study),
            tasks=_sections(study, groups, small, pictures),
            settings=[
                {"modality": name, "words": told(config.data.augmentation(name), modality.channels)}
                for name, modality in small.modalities.items()
            ],
            unseen=[f"{key}={getattr(config.train, key)}" for key in UNSEEN if getattr(config.train, key)],
            image_size=config.data.image_size,
            regions=_legend(small) if reads == "pixels" else [],
            seed=seed,
            version=__version__,
        )
    )
    return write_text(out, page), groups


def choose_subjects(study: Study, per_class: int, seed: int) -> list[Group]:
    """Training subjects of every class of every task; a larger ``per_class`` adds to those of a smaller one.

    Args:
        study: With its split.
        per_class: Largest number of subjects of a group.
        seed: Of the choice.
    """
    subjects, images = study.subjects(), _image_modalities(study)
    found: list[Group] = []
    for number, (name, task) in enumerate(study.tasks.items()):
        columns = [subjects.modalities.index(one) for one in task.modalities if one in images]
        here = (subjects.split == "train") & subjects.known_of(name) & subjects.present[:, columns].any(axis=1)
        texts = dict(study.table.loc[study.table[name] != "", ["subject", name]].to_numpy().tolist())
        for title, has in task.target.counted(subjects.targets[name], subjects.known_of(name)).items():
            parts = np.unique(subjects.strata[has, number])
            for part in parts if has.any() else [-1]:
                rows = np.flatnonzero(here & has & (subjects.strata[:, number] == part))
                # What has several strata, such as a number, is named by what is in each.
                words = task.target.told([texts[id] for id in subjects.ids[rows]]) if len(parts) > 1 and len(rows) else title
                drawn = np.random.default_rng([seed, len(found)]).permutation(rows)[:per_class]
                found.append(Group(name, words, np.sort(drawn), len(rows)))
    return found


def told(how: AugmentConfig, channels: int) -> str:
    """The augmentation of images of so many channels in words, for people."""
    words = [
        f"turned by up to ±{how.degrees:g}°" if how.degrees else "",
        f"shifted by up to ±{how.shift:g} pixels" if how.shift else "",
        f"left and right swapped in {how.flip:.0%} of cases" if how.flip else "",
        f"top and bottom swapped in {how.flip_vertical:.0%} of cases" if how.flip_vertical else "",
        "turned by quarters" if how.quarter_turns else "",
        f"contrast and brightness changed by up to ±{how.intensity:g}" if how.intensity else "",
        f"hue changed by up to ±{how.hue:g} of the circle" if how.hue and channels == 3 else "",
    ]
    return ", ".join(word for word in words if word) or "left as it is"


def _image_modalities(study: Study) -> list[str]:
    return [name for name, modality in study.modalities.items() if not modality.columns]


def _only(study: Study, ids: np.ndarray) -> Study:
    """The images of some subjects; the tasks stay only where masks are drawn, as some classes may be missing among these."""
    images = _image_modalities(study)
    rows = study.table["subject"].isin(ids.tolist()) & study.table["modality"].isin(images)
    return replace(
        study,
        table=study.table[rows].reset_index(drop=True),
        modalities={name: study.modalities[name] for name in images},
        tasks={name: task for name, task in study.tasks.items() if task.target.reads == "pixels"},
    )


def _images(study: Study, size: int, folder: Path, progress: Progress | None) -> Batch:
    """The images of all subjects, as bytes."""
    subjects, cache = study.subjects(), ImageCache.build(study, size, folder, progress)
    images = {name: cache.read(name, subjects.image[:, column]) for column, name in enumerate(subjects.modalities)}
    return Batch(images=images, present=torch.from_numpy(subjects.present))


def _slices(study: Study, size: int, folder: Path, progress: Progress | None) -> Batch:
    """The middle slice of every subject: of those where a mask holds anything, else of all."""
    cache = VolumeCache.build(study, folder, size=size, progress=progress)
    middle = []
    for subject in range(len(study.subjects())):
        rows = cache.slices_of(subject)
        marked = rows[np.any([column[rows] == 1 for column in cache.index.marked.values()], axis=0)]
        rows = marked if len(marked) else rows
        middle.append(rows[len(rows) // 2])
    return SliceSource(study, cache).batch(np.array(middle))


#: What a network looks at -> how the subjects of a study become one batch.
BATCHES: dict[Reads, Callable[[Study, int, Path, Progress | None], Batch]] = {"subject": _images, "pixels": _slices}


def _image_pictures(batch: Batch, normalisation: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
    """Bytes, or standardised floats, as pictures."""
    found = {}
    for name, images in batch.tensors.items():
        if images.is_floating_point():
            mean, std = (torch.as_tensor(value).reshape(-1, 1, 1) for value in normalisation.get(name, (0.5, 0.5)))
            images = (255 * (images * std + mean)).round().clamp(0, 255).byte()
        found[name] = list(images.permute(0, 2, 3, 1).numpy())
    return found


def _slice_pictures(batch: Batch, normalisation: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
    """Slices with the outlines of their regions, turned upright: anterior up, the patient's right on the left."""
    regions = torch.cat(list(batch.targets.values()), dim=1).numpy()
    found = {}
    for name, images in batch.tensors.items():
        grey = (255 * (images / WINDOW + 1) / 2).clamp(0, 255).byte().permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
        pictures = grey.numpy().copy()
        for picture, own in zip(pictures, regions, strict=True):
            for number, region in enumerate(own):
                picture[region & ~binary_erosion(region)] = COLOURS[number % len(COLOURS)]
        found[name] = list(pictures.transpose(0, 2, 1, 3)[:, ::-1, ::-1])
    return found


#: What a network looks at -> how a batch becomes pictures: modality -> uint8 [H, W, C] each.
PICTURES: dict[Reads, Callable[[Batch, Mapping[str, Any]], dict[str, list[np.ndarray]]]] = {
    "subject": _image_pictures,
    "pixels": _slice_pictures,
}


def _normalisation(config: Config, study: Study) -> dict[str, tuple[Any, Any]]:
    """What pretrained weights standardise images by; a change of contrast is relative to it."""
    found, model = {}, config.model
    for name, modality in study.modalities.items():
        backbone = model.backbone if isinstance(model.backbone, str) else model.backbone.get(name)
        source = model.pretrained.get(name, False) if isinstance(model.pretrained, dict) else model.pretrained
        if backbone and source:
            found[name] = input_normalisation(backbone, modality.channels, source)[0]
    return found


def _legend(study: Study) -> list[dict[str, str]]:
    names = [f"{name} of {task.name}" for task in study.tasks.values() for name in task.target.names]
    return [{"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*COLOURS[n % len(COLOURS)])} for n, name in enumerate(names)]


def _sections(
    study: Study, groups: list[Group], small: Study, pictures: Mapping[str, Mapping[str, list[np.ndarray]]]
) -> list[dict[str, Any]]:
    """One record per task, with its groups, their modalities and the pairs of pictures of each subject."""
    ids, subjects = study.subjects().ids, small.subjects()
    place = {str(id): number for number, id in enumerate(subjects.ids)}
    found = []
    for name, task in study.tasks.items():
        shown = []
        for group in (group for group in groups if group.task == name):
            modalities = []
            for modality in (one for one in small.modalities if one in task.modalities):
                has = subjects.present[:, subjects.modalities.index(modality)]
                rows = [place[str(id)] for id in ids[group.shown] if has[place[str(id)]]]
                pairs = [
                    {"subject": str(subjects.ids[row]), **{how: _uri(drawn[modality][row]) for how, drawn in pictures.items()}}
                    for row in rows
                ]
                modalities.append({"name": modality, "pairs": pairs})
            shown.append({"title": group.title, "count": group.count, "drawn": len(group.shown), "modalities": modalities})
        found.append({"name": name, "groups": shown})
    return found


def _uri(picture: np.ndarray) -> str:
    """A picture as part of a page."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[..., 0] if picture.shape[2] == 1 else picture)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
