"""What it means that a modality is present: rows that have it, sums and means over those that do, subsets.

A mask is a bool ``[B]`` per modality, one column of ``present`` ``[B, m]``; ``None`` stands for every row. What stands in a
slot that a mask leaves out is never read, not even multiplied by zero: it may be NaN.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from drifa.errors import DrifaError

#: 2^m - 1 subsets are judged.
MOST_MODALITIES = 8


def is_recorded() -> bool:
    """Whether a program is being made of what is computed: it must hold for any rows, so no value may choose the way."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()


def run_present(module: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    """Runs a module on the rows that a mask names, so that statistics over the batch are those of real images.

    A program that is exported cannot choose rows: it runs on all of them, which in evaluation mode do not touch each other.

    Args:
        module: Maps ``[B, ...]`` to a tensor with as many rows.
        x: ``[B, ...]``.
        mask: bool ``[B]`` with at least one True, or ``None`` = every row.

    Returns:
        The output, zeros in the other rows.
    """
    if is_recorded():
        return keep(module(x), mask)
    if mask is None or bool(mask.all()):
        return module(x)
    rows = mask.nonzero().squeeze(1)
    return spread(run_rows(module, x[rows]), rows, x.shape[0])


def run_rows(module: nn.Module, x: Tensor) -> Any:
    """Runs a module on rows that all have what it reads, also where that is one row in training."""
    if not module.training or x.shape[0] > 1:
        return module(x)
    # BatchNorm has nothing to learn from one row, and fails on it at 1x1 maps: use its running statistics.
    learning = [part for part in module.modules() if part.training]  # a part that was frozen stays so
    y = module.eval()(x)
    for part in learning:
        part.training = True
    return y


def spread(y: Tensor, rows: Tensor, count: int) -> Tensor:
    """Rows put into their places among ``count``, zeros elsewhere."""
    return y.new_zeros(count, *y.shape[1:]).index_copy(0, rows, y)


def column(present: Tensor | None, i: int) -> Tensor | None:
    """The rows that have modality i."""
    return None if present is None else present[:, i]


def keep(x: Tensor, mask: Tensor | None) -> Tensor:
    """Zeros in the rows that a mask leaves out; ``where`` and not a product, so that NaN in an absent slot cannot leak."""
    return x if mask is None else torch.where(mask.view(-1, *[1] * (x.ndim - 1)), x, 0)


def sum_present(values: Sequence[Tensor | None], masks: Sequence[Tensor | None]) -> Tensor:
    """Per row the sum over those values whose mask has it. Values ``[B, ...]`` or ``None``, at least one given."""
    kept = [keep(value, mask) for value, mask in zip(values, masks, strict=True) if value is not None]
    return torch.stack(kept).sum(0) if len(kept) > 1 else kept[0]


def mean_present(values: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
    """Per row the mean over those values whose mask has it; zeros where none has. Values ``[B, ...]``, at least one."""
    if all(mask is None for mask in masks):
        return torch.stack(list(values)).mean(0)
    total = torch.stack([keep(value, mask) for value, mask in zip(values, masks, strict=True)]).sum(0)
    return total / count_present(masks, total).clamp_min(1)


def count_present(masks: Sequence[Tensor | None], like: Tensor) -> Tensor:
    """Per row how many masks have it, to divide ``like`` ``[B, ...]`` by: ``[B, 1, ...]``, or one number where all have all."""
    # No ones for a mask that is None: an exporter of programs may take their length, the rows that it was shown, for fixed.
    count = sum(1 if mask is None else mask.view(-1, *[1] * (like.ndim - 1)).to(like.dtype) for mask in masks)
    return torch.as_tensor(count, dtype=like.dtype, device=like.device)


def subsets_of(names: Sequence[str]) -> list[tuple[str, ...]]:
    """All non-empty subsets, the smallest first, each in the order of ``names``.

    Raises:
        DrifaError: More than eight names.
    """
    if len(names) > MOST_MODALITIES:
        raise DrifaError(
            f"{len(names)} modalities have {2 ** len(names) - 1} subsets, too many to judge; keep {MOST_MODALITIES} of them"
        )
    return [subset for size in range(1, len(names) + 1) for subset in combinations(names, size)]


def answers_task(present: Collection[str], carriers: Collection[str], tabular: Collection[str]) -> bool:
    """Whether a subject can be asked a task.

    Columns of a table join every task, so they say nothing about which one a subject is for: where there are images, one of
    them must carry the task; values alone are asked every task that they join.

    Args:
        present: The modalities of which the subject has something.
        carriers: Those that carry the task.
        tabular: Those that are columns of a table.
    """
    shown, images = set(present) & set(carriers), set(present) - set(tabular)
    return bool(shown & images) or (bool(shown) and not images)


def subset_mask(subsets: Sequence[Sequence[str]], modalities: Sequence[str]) -> Tensor:
    """Subsets as rows of a mask: bool ``[S, m]``."""
    return torch.tensor([[name in subset for name in modalities] for subset in subsets])
