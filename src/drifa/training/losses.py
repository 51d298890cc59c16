"""The multitask loss (eq. 9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from drifa.fusion.base import weighted_losses

NO_LABEL = -1
Combine = Callable[[Mapping[str, Tensor], Mapping[str, float]], Tensor | float]


def multitask_loss(
    logits: Mapping[str, Tensor | Sequence[Tensor]],
    labels: Tensor,
    weights: Mapping[str, float],
    combine: Combine | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""Weighted sum of the cross-entropies of all tasks, :math:`\sum_t \omega_t\,CE_t` (eq. 9).

    Args:
        logits: Task -> ``[B, classes]``, or several such tensors, whose cross-entropies are added (deep supervision).
        labels: int64 ``[B, t]``, columns in the order of ``logits``; -1 = unlabelled, which costs nothing.
        weights: Task -> :math:`\omega_t`.
        combine: Another way to make one number of the tasks' losses, see :meth:`drifa.fusion.base.Fusion.combine`.

    Returns:
        The loss (a scalar) and the cross-entropy of each task that has a label in the batch.
    """
    answers = {task: [value] if isinstance(value, Tensor) else list(value) for task, value in logits.items()}
    # keeps the graph when nothing is labelled
    nothing = torch.stack([value.float().sum() * 0.0 for values in answers.values() for value in values]).sum()
    parts = {}
    for column, (task, values) in enumerate(answers.items()):
        truth = labels[:, column]
        if bool((truth != NO_LABEL).any()):
            losses = [F.cross_entropy(value.float(), truth, ignore_index=NO_LABEL) for value in values]
            parts[task] = torch.stack(losses).sum()
    return nothing + (combine or weighted_losses)(parts, weights), parts


def task_weights(tasks: Mapping[str, int], given: Mapping[str, float]) -> dict[str, float]:
    """The weights of eq. 9: what is given, and 1/t for the rest (the paper names none; the authors' code has 0.5 for two)."""
    return {task: float(given.get(task, 1 / len(tasks))) for task in tasks}
