"""Regions of volumes: slice by slice, averaged over members and passes, put back on the grid of the volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from drifa.data.reading.slicing import Geometry, centre, prepare_volumes
from drifa.data.reading.volumes import Volume
from drifa.errors import DrifaError
from drifa.networks.dropout import pass_keys, row_seeds
from drifa.networks.regions import region_probabilities
from drifa.prediction.cases import Case, Failure, Unanswerable, read_files
from drifa.prediction.given import volume_from
from drifa.present import subset_mask
from drifa.runs.run import Run
from drifa.uncertainty.region_calibration import RegionTemperatures

if TYPE_CHECKING:
    from drifa.prediction.predictor import Predictor

#: What it was -> task -> region probabilities.
SliceAnswers = dict[str, dict[str, np.ndarray]]
#: Called with the number of the pass, the task, and its region probabilities. float32 ``[n, R, s, s]``
EachDraw = Callable[[int, str, Tensor], None]


class Segmentation(NamedTuple):
    """The regions of one case.

    Attributes:
        volume: One of its volumes, whose grid is that of all.
        probabilities: Task -> float32 ``[X, Y, Z, R]``.
        drawn: Task -> voxels of each region by draw (member x pass, or member without passes). int64 ``[T, R]``
    """

    volume: Volume
    probabilities: dict[str, np.ndarray]
    drawn: dict[str, np.ndarray]


@torch.inference_mode()
def slices(
    predictor: Predictor,
    member: int,
    images: Mapping[str, Tensor],
    present: Tensor,
    names: Sequence[str],
    subsets: Sequence[Sequence[str]] = (),
    each: EachDraw | None = None,
) -> SliceAnswers:
    """Region probabilities of some slices by one member.

    Args:
        predictor: Whom to ask.
        member: Number of the network.
        images: Modality -> float ``[n, 1, s, s]``.
        present: bool ``[n, m]``.
        names: One per slice, ``SUBJECT/PLANE``; they decide the dropout masks.
        subsets: Of the modalities.
        each: Told every draw, one after the other: the passes, or without any the one with dropout off.

    Returns:
        ``fixed`` (dropout off), ``drawn`` (the mean of the passes; empty without any) and ``subsets`` (one per subset that
        any slice has something of): task -> ``[n, R, s, s]``, ``subsets`` with one more axis in front.
    """
    settings, net = predictor.run.config.evaluate, predictor.nets[member]
    output = net.config["output"]
    images = {name: image.to(predictor.device) for name, image in images.items()}
    present, seeds = present.to(predictor.device), row_seeds(names, settings.seed).to(predictor.device)
    fixed = {task: region_probabilities(logits, output) for task, logits in net(images, present).items()}
    sums = {task: torch.zeros_like(values) for task, values in fixed.items()}
    for turn in range(settings.passes):
        for task, logits in net.sample(images, present, pass_keys(seeds, turn)[None]).items():
            values = region_probabilities(logits[0], output)
            sums[task] += values
            if each is not None:
                each(turn, task, values)
    if each is not None and not settings.passes:
        for task, values in fixed.items():
            each(0, task, values)
    parts = net.over_subsets(images, present, subset_mask(subsets, net.modalities)) if subsets else []
    found: SliceAnswers = {"fixed": {}, "drawn": {}, "subsets": {}}
    for task, values in fixed.items():
        found["fixed"][task] = values.cpu().numpy()
        found["drawn"][task] = (sums[task] / max(settings.passes, 1)).cpu().numpy()[: None if settings.passes else 0]
        partial = [region_probabilities(one[task], output).cpu().numpy() for one in parts if one is not None]
        found["subsets"][task] = np.stack(partial) if partial else np.empty((0, *values.shape), dtype=np.float32)
    return found


def read_slices(run: Run, case: Case) -> tuple[Volume, Geometry, dict[str, Tensor]]:
    """The slices of a case as the networks read them.

    Args:
        run: Whose networks.
        case: Its volumes share a grid; it may lack modalities.

    Returns:
        One of its volumes, where the slices come from, and modality -> float32 ``[n, 1, s, s]``.

    Raises:
        Unanswerable: A volume cannot be read, or they lie on different grids.
    """
    volumes = read_files(case, lambda _, value: volume_from(value))
    try:
        prepared = prepare_volumes(volumes, run.info.image_size)
    except DrifaError as error:
        raise Unanswerable(Failure(case.subject, next(iter(case.rows.values()), None), None, str(error))) from None
    side = max(prepared.geometry.slices[1:])
    images = {name: centre(torch.from_numpy(planes).half().float()[:, None], side) for name, planes in prepared.images.items()}
    return next(iter(volumes.values())), prepared.geometry, images


def segment(predictor: Predictor, case: Case) -> Segmentation:
    """Region probabilities of one case on the grid of its own volumes, averaged over members and passes, then calibrated.

    Args:
        predictor: Whom to ask.
        case: Its volumes share a grid; it may lack modalities.

    Raises:
        Unanswerable: A volume cannot be read, or they lie on different grids.
    """
    run, settings = predictor.run, predictor.run.config.evaluate
    volume, geometry, images = read_slices(run, case)
    count = geometry.slices[0]
    present = torch.tensor([[name in images for name in run.info.modalities]]).expand(count, -1)
    first = geometry.start[2]
    names = [f"{case.subject}/{first + z}" for z in range(count)]
    sums: dict[str, np.ndarray] = {}
    temperatures = predictor.trust.regions if predictor.trust is not None else {}
    passes = max(settings.passes, 1)
    drawn = {task: np.zeros((len(predictor.nets) * passes, len(names)), np.int64) for task, names in predictor.regions.items()}

    def tally(first: int, turn: int, task: str, values: Tensor) -> None:
        # As the mean of the draws is cut: calibrated, on the grid of the volume. What is outside of the box is in no region.
        planes = geometry.unscale(_calibrated(values.cpu().numpy(), temperatures.get(task)))
        drawn[task][first + turn] += (planes >= 0.5).sum(dim=(0, 2, 3)).numpy()

    for member in range(len(predictor.nets)):
        for start in range(0, count, settings.batch_size):
            rows = slice(start, start + settings.batch_size)
            some = {name: image[rows] for name, image in images.items()}
            each = partial(tally, member * passes)
            found = slices(predictor, member, some, present[rows], names[rows], each=each)
            for task, values in found["drawn" if settings.passes else "fixed"].items():
                total = sums.setdefault(task, np.zeros((count, *values.shape[1:]), dtype=np.float32))
                total[rows] += values / len(predictor.nets)
    # Calibrated before they are put back: outside of what was seen there is nothing, and that for certain.
    restored = {task: geometry.restore(_calibrated(values, temperatures.get(task))) for task, values in sums.items()}
    return Segmentation(volume, restored, drawn)


def _calibrated(values: np.ndarray, temperatures: RegionTemperatures | None) -> np.ndarray:
    """Region probabilities of slices, ``[n, R, s, s]``."""
    if temperatures is None:
        return values
    return np.moveaxis(temperatures(np.moveaxis(values, 1, 0)), 0, 1).astype(np.float32)
