"""Regions of volumes: slice by slice, averaged over members and passes, put back on the grid of the volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from drifa.data.reading.slicing import centre, prepare_volumes
from drifa.data.reading.volumes import Volume
from drifa.errors import DrifaError
from drifa.networks.dropout import pass_keys, row_seeds
from drifa.networks.regions import region_probabilities
from drifa.prediction.cases import Case, Failure, Unanswerable, read_files
from drifa.prediction.given import volume_from
from drifa.present import subset_mask

if TYPE_CHECKING:
    from drifa.prediction.predictor import Predictor

#: What it was -> task -> region probabilities.
SliceAnswers = dict[str, dict[str, np.ndarray]]


@torch.inference_mode()
def slices(
    predictor: Predictor,
    member: int,
    images: Mapping[str, Tensor],
    present: Tensor,
    names: Sequence[str],
    subsets: Sequence[Sequence[str]] = (),
) -> SliceAnswers:
    """Region probabilities of some slices by one member.

    Args:
        predictor: Whom to ask.
        member: Number of the network.
        images: Modality -> float ``[n, 1, s, s]``.
        present: bool ``[n, m]``.
        names: One per slice, ``SUBJECT/PLANE``; they decide the dropout masks.
        subsets: Of the modalities.

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
            sums[task] += region_probabilities(logits[0], output)
    each = net.over_subsets(images, present, subset_mask(subsets, net.modalities)) if subsets else []
    found: SliceAnswers = {"fixed": {}, "drawn": {}, "subsets": {}}
    for task, values in fixed.items():
        found["fixed"][task] = values.cpu().numpy()
        found["drawn"][task] = (sums[task] / max(settings.passes, 1)).cpu().numpy()[: None if settings.passes else 0]
        partial = [region_probabilities(one[task], output).cpu().numpy() for one in each if one is not None]
        found["subsets"][task] = np.stack(partial) if partial else np.empty((0, *values.shape), dtype=np.float32)
    return found


def segment(predictor: Predictor, case: Case) -> tuple[Volume, dict[str, np.ndarray]]:
    """Region probabilities of one case on the grid of its own volumes, averaged over members and passes, then calibrated.

    Args:
        predictor: Whom to ask.
        case: Its volumes share a grid; it may lack modalities.

    Returns:
        One of its volumes, and task -> float32 ``[X, Y, Z, R]``.

    Raises:
        Unanswerable: A volume cannot be read, or they lie on different grids.
    """
    run, settings = predictor.run, predictor.run.config.evaluate
    known = list(run.info.modalities)
    volumes = read_files(case, lambda _, value: volume_from(value))
    try:
        prepared = prepare_volumes(volumes, run.info.image_size)
    except DrifaError as error:
        raise Unanswerable(Failure(case.subject, next(iter(case.rows.values()), None), None, str(error))) from None
    count, *sides = prepared.geometry.slices
    images = {
        name: centre(torch.from_numpy(planes).half().float()[:, None], max(sides)) for name, planes in prepared.images.items()
    }
    present = torch.tensor([[name in images for name in known]]).expand(count, -1)
    first = prepared.geometry.start[2]
    names = [f"{case.subject}/{first + z}" for z in range(count)]
    sums: dict[str, np.ndarray] = {}
    for member in range(len(predictor.nets)):
        for start in range(0, count, settings.batch_size):
            rows = slice(start, start + settings.batch_size)
            some = {name: image[rows] for name, image in images.items()}
            found = slices(predictor, member, some, present[rows], names[rows])
            for task, values in found["drawn" if settings.passes else "fixed"].items():
                total = sums.setdefault(task, np.zeros((count, *values.shape[1:]), dtype=np.float32))
                total[rows] += values / len(predictor.nets)
    for task, temperatures in predictor.trust.regions.items() if predictor.trust is not None else ():
        # Before they are put back: outside of what was seen there is nothing, and that for certain.
        sums[task] = np.moveaxis(temperatures(np.moveaxis(sums[task], 1, 0)), 0, 1).astype(np.float32)
    return next(iter(volumes.values())), {task: prepared.geometry.restore(values) for task, values in sums.items()}
