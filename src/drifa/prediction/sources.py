"""Where the images of a prediction come from: files, values, and training images that stand in for absent modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from drifa.data import Subjects, components, resize
from drifa.data.sampling.image_batches import ImageSource
from drifa.data.sampling.pairing import draw_partners, subject_components
from drifa.data.tabular import TabularEncoder, WithColumns
from drifa.prediction.cases import Case, read_files
from drifa.prediction.given import Picture, pixels_from
from drifa.runs.run import Run


def decode_images(case: Case, channels: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Modality -> uint8 ``[H, W, C]`` of a case, as large as it came.

    Raises:
        Unanswerable: A file cannot be read.
    """

    def read(name: str, given: Picture) -> np.ndarray:
        return pixels_from(given, channels[name])

    return read_files(case, read)


def resized(decoded: Mapping[str, np.ndarray], size: int) -> dict[str, Tensor]:
    """What :func:`decode_images` gave, as a network sees it: modality -> uint8 ``[C, H, W]``."""
    return {name: torch.from_numpy(resize(image, size).copy()).permute(2, 0, 1) for name, image in decoded.items()}


def read_images(case: Case, channels: Mapping[str, int], size: int) -> dict[str, Tensor]:
    """Modality -> uint8 ``[C, H, W]`` of a case.

    Raises:
        Unanswerable: A file cannot be read.
    """
    return resized(decode_images(case, channels), size)


class FileImages:
    """Images of some cases; row numbers count cases.

    Args:
        pixels: Of every case, see :func:`read_images`.
        channels: Modality -> C.
        size: H and W.
    """

    def __init__(self, pixels: Sequence[Mapping[str, Tensor]], channels: Mapping[str, int], size: int) -> None:
        self.pixels = {(name, row): image for row, images in enumerate(pixels) for name, image in images.items()}
        self.channels, self.size = channels, size

    def read(self, modality: str, rows: np.ndarray) -> Tensor:
        """uint8 ``[n, C, H, W]``; zeros where a row is -1."""
        blank = torch.zeros(self.channels[modality], self.size, self.size, dtype=torch.uint8)
        return torch.stack([self.pixels.get((modality, int(row)), blank) for row in rows])


class Blank:
    """Images and features of nobody: zeros, whatever the row."""

    def __init__(self, channels: Mapping[str, int], widths: Mapping[str, int], size: int) -> None:
        self.channels, self.widths, self.size = channels, widths, size

    def read(self, modality: str, rows: np.ndarray) -> Tensor:
        """uint8 ``[n, C, H, W]``, or float32 ``[n, F, 1, 1]`` of a tabular modality."""
        if modality in self.widths:
            return torch.zeros(len(rows), self.widths[modality], 1, 1)
        return torch.zeros(len(rows), self.channels[modality], self.size, self.size, dtype=torch.uint8)


class TwoSources:
    """Rows below ``boundary`` come from the first source, the others from the second."""

    def __init__(self, first: ImageSource, second: ImageSource, boundary: int, second_modalities: set[str]) -> None:
        self.first, self.second, self.boundary, self.second_modalities = first, second, boundary, second_modalities

    def read(self, modality: str, rows: np.ndarray) -> Tensor | list[Tensor]:
        """uint8 ``[n, C, H, W]``, or maps; zeros where a row is -1."""
        beyond = rows >= self.boundary
        if not beyond.any() or modality not in self.second_modalities:
            return self.first.read(modality, np.where(beyond, -1, rows))
        other = self.second.read(modality, np.where(beyond, rows - self.boundary, -1))
        if not (~beyond & (rows >= 0)).any():
            return other  # one source may have maps where the other has images
        own, chosen = self.first.read(modality, np.where(beyond, -1, rows)), torch.from_numpy(beyond)
        if isinstance(own, Tensor) and isinstance(other, Tensor):
            return _chosen(chosen, other, own)
        return [_chosen(chosen, theirs, ours) for theirs, ours in zip(other, own, strict=True)]


def _chosen(rows: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(rows.view(-1, *[1] * (no.ndim - 1)), yes, no)


def with_values(files: FileImages, cases: Sequence[Case], encoders: Mapping[str, TabularEncoder]) -> WithColumns:
    """The images of the cases and, in the same rows, their encoded values."""
    columns = [column.name for encoder in encoders.values() for column in encoder.columns]
    table = pd.DataFrame([{name: case.values.get(name, "") for name in columns} for case in cases])
    each = {name: WithColumns(files, table.assign(modality=name), {name: encoder}) for name, encoder in encoders.items()}
    first = next(iter(each.values()))
    first.rows = {name: source.rows[name] for name, source in each.items()}
    first.codes = {name: source.codes[name] for name, source in each.items()}
    return first


@dataclass(frozen=True)
class PartnerPool:
    """The training subjects that can stand in for absent modalities.

    Attributes:
        subjects: Of the run's study.
        source: Their images.
        offset: The first row that belongs to a case and not to them.
        modalities: Those of the run.
    """

    subjects: Subjects
    source: ImageSource
    offset: int
    modalities: frozenset[str]

    @classmethod
    def open(cls, run: Run, nets: Sequence[Any]) -> PartnerPool:
        """Raises DrifaError where the training images cannot be read."""
        study = run.study()
        return cls(study.subjects(), run.cache(study, nets=nets), len(study.table), frozenset(run.info.modalities))

    def before(self, files: Any) -> TwoSources:
        """Their images, and behind them those of some cases."""
        return TwoSources(self.source, files, self.offset, set(self.modalities))


def fill_absent(images: np.ndarray, case: Case, run: Run, pool: PartnerPool | None) -> tuple[np.ndarray, str]:
    """K image rows for one case ``[K, m]`` and the condition: ``paired``, ``partial``, ``partners`` or ``alone``."""
    if run.info.components == 1:
        return images[None], "paired" if (images >= 0).all() else "partial"
    if pool is None:
        return images[None], "paired" if (images >= 0).all() else "alone"
    subjects = pool.subjects
    missing = [part for part in components(subjects) if (images[list(part)] < 0).all()]
    if not missing:
        return images[None], "paired"
    train = subjects.in_split("train")
    parts = components(subjects)
    owners = subject_components(subjects, parts)[train]
    pools = {number: train[owners == number] for number, part in enumerate(parts) if part in missing}
    settings = run.config.evaluate
    rows = np.repeat(images[None], settings.partners, axis=0)
    for number, chosen in draw_partners(case.subject, pools, settings.partners, settings.seed).items():
        columns = list(parts[number])
        rows[:, columns] = subjects.image[chosen][:, columns]
    return rows, "partners"
