"""The multitask loss (eq. 9)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F

NO_LABEL = -1


def multitask_loss(
    logits: Mapping[str, Tensor], labels: Tensor, weights: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""Weighted sum of the cross-entropies of all tasks, :math:`\sum_t \omega_t\,CE_t` (eq. 9).

    Args:
        logits: Task -> ``[B, classes]``.
        labels: int64 ``[B, t]``, columns in the order of ``logits``; -1 = unlabelled, which costs nothing.
        weights: Task -> :math:`\omega_t`.

    Returns:
        The loss (a scalar) and the cross-entropy of each task that has a label in the batch.
    """
    total = sum(value.sum() * 0.0 for value in logits.values())  # keeps the graph when nothing is labelled
    parts = {}
    for column, (task, value) in enumerate(logits.items()):
        truth = labels[:, column]
        if bool((truth != NO_LABEL).any()):
            parts[task] = F.cross_entropy(value.float(), truth, ignore_index=NO_LABEL)
            total = total + weights[task] * parts[task]
    return total, parts  # type: ignore[return-value]


def task_weights(tasks: Mapping[str, int], given: Mapping[str, float]) -> dict[str, float]:
    """The weights of eq. 9: what is given, and 1/t for the rest (the paper names none; the authors' code has 0.5 for two)."""
    return {task: float(given.get(task, 1 / len(tasks))) for task in tasks}
