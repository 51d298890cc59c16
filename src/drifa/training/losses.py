"""The multitask loss (eq. 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from drifa.fusion.base import weighted_losses
from drifa.tasks import Kind, SubjectKind

Combine = Callable[[Mapping[str, Tensor], Mapping[str, float]], Tensor | float]


def multitask_loss(
    kinds: Mapping[str, Kind],
    outputs: Mapping[str, Tensor | Sequence[Tensor]],
    targets: Mapping[str, Tensor],
    known: Tensor,
    weights: Mapping[str, float],
    combine: Combine | None = None,
    share: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""Weighted sum of the losses of all tasks, :math:`\sum_t \omega_t\,L_t` (eq. 9), in float32 whatever the outputs are in.

    Args:
        kinds: Task -> its kind, which has its loss.
        outputs: Task -> ``[B, …]``, or several such tensors, whose losses are added (deep supervision).
        targets: Task -> values ``[B, …]``.
        known: bool ``[B, t]``, columns in the order of ``kinds``; what is not known costs nothing.
        weights: Task -> :math:`\omega_t`.
        combine: Another way to make one number of the tasks' losses, see :meth:`drifa.fusion.base.Fusion.combine`.
        share: Of mixed rows: how much each row of ``targets`` and ``known`` counts, see
            :func:`drifa.data.sampling.mixup.mixup`; the first half of these rows and the second are of the same ``outputs``.

    Returns:
        The loss (a scalar) and the loss of each task of which the batch knows anything.
    """
    answers = {task: [value] if isinstance(value, Tensor) else list(value) for task, value in outputs.items()}
    # keeps the graph when nothing is known
    nothing = torch.stack([value.float().sum() * 0.0 for values in answers.values() for value in values]).sum()
    parts = {}
    for column, (task, kind) in enumerate(kinds.items()):
        here = known[:, column]
        if bool(here.any()):
            losses = [_loss(kind, value, targets[task], here, share) for value in answers[task]]
            parts[task] = torch.stack(losses).sum()
    return nothing + (combine or weighted_losses)(parts, weights), parts


def _loss(kind: Kind, outputs: Tensor, truth: Tensor, known: Tensor, share: Tensor | None) -> Tensor:
    if share is None:
        return kind.loss(outputs, truth, known)
    assert isinstance(kind, SubjectKind), "other kinds are refused before they are trained"
    return kind.loss(torch.cat([outputs, outputs]), truth, known, share)


def task_weights(tasks: Iterable[str], given: Mapping[str, float]) -> dict[str, float]:
    """The weights of eq. 9: what is given, and 1/t for the rest (the paper names none; the authors' code has 0.5 for two)."""
    names = list(tasks)
    return {task: float(given.get(task, 1 / len(names))) for task in names}
