"""What a network may be given: inputs by name, and which rows have which modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from drifa.errors import DrifaError, suggest

Features = list[Tensor | None]


def check_inputs(
    inputs: Mapping[str, Tensor], present: Tensor | None, channels: Mapping[str, int]
) -> tuple[Features, Tensor | None]:
    """Puts inputs into the order of the modalities; a modality that no row has becomes ``None``.

    Args:
        inputs: Modality name -> ``[B, C, H, W]``.
        present: bool ``[B, m]``; ``None`` = every given modality in every row.
        channels: Modality name -> C, in the order of the columns of ``present``.

    Returns:
        One tensor or ``None`` per modality, and ``present``, which is ``None`` when all are there.

    Raises:
        DrifaError: For an unknown modality, images that do not fit, or a row without any modality.
    """
    modalities = tuple(channels)
    for name in inputs:
        if name not in channels:
            raise DrifaError(f"modality {name!r} is not one of this network{suggest(name, modalities)}")
    given = [name for name in modalities if name in inputs]
    if not given:
        raise DrifaError(f"no modality was given; at least one of {', '.join(modalities)} is needed")
    batch = inputs[given[0]].shape[0]
    for name in given:
        x = inputs[name]
        if x.ndim != 4 or x.shape[0] != batch or x.shape[1] != channels[name]:
            raise DrifaError(f"modality {name!r} has shape {tuple(x.shape)}; [{batch}, {channels[name]}, H, W] is needed")
    if present is None:
        if len(given) == len(modalities):
            return [inputs[name] for name in modalities], None
        present = torch.tensor([name in inputs for name in modalities], device=inputs[given[0]].device)
        present = present.expand(batch, -1)
    elif present.dtype != torch.bool or tuple(present.shape) != (batch, len(modalities)):
        raise DrifaError(
            f"present must be bool [{batch}, {len(modalities)}] (columns: {', '.join(modalities)}), "
            f"not {present.dtype} {tuple(present.shape)}"
        )
    features: Features = []
    for i, name in enumerate(modalities):
        some = bool(present[:, i].any())
        if some and name not in inputs:
            raise DrifaError(f"present says that rows have modality {name!r}, and no images of it were given")
        features.append(inputs[name] if some else None)
    if not bool(present.any(dim=1).all()):
        row = int((~present.any(dim=1)).nonzero()[0])
        raise DrifaError(f"row {row} of the batch has no modality at all; leave such rows out")
    return features, None if bool(present.all()) else present


def run_subsets(
    features: Features,
    present: Tensor | None,
    subsets: Tensor,
    run: Callable[[Features, Tensor | None], dict[str, Tensor]],
) -> list[dict[str, Tensor] | None]:
    """Runs the rest of a network once for each subset of the modalities, on the rows that have something of it.

    Args:
        features: What does not depend on the subset: per modality ``[B, …]`` or ``None``.
        present: bool ``[B, m]`` or ``None``.
        subsets: bool ``[S, m]``.
        run: Features and mask of some rows -> task -> answers.

    Returns:
        Per subset, task -> answers of all B rows, NaN for a row that has none of its modalities; ``None`` if no row has.
    """
    like = next(x for x in features if x is not None)
    everything = like.new_ones(like.shape[0], subsets.shape[1], dtype=torch.bool) if present is None else present
    found: list[dict[str, Tensor] | None] = []
    for subset in subsets.to(like.device):
        here = everything & subset
        rows = here.any(dim=1).nonzero().squeeze(1)
        if not len(rows):
            found.append(None)
            continue
        mask = here[rows]
        chosen = [None if x is None or not bool(mask[:, i].any()) else x[rows] for i, x in enumerate(features)]
        answers = run(chosen, None if bool(mask.all()) else mask)
        found.append(
            {task: y.new_full((like.shape[0], *y.shape[1:]), torch.nan).index_copy(0, rows, y) for task, y in answers.items()}
        )
    return found
