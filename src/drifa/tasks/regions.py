"""The loss of segmentation networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from drifa.fusion.base import weighted_losses
from drifa.networks.regions import regions_to_classes
from drifa.training.losses import Combine

SMOOTHING = 1.0  # pixels


def segmentation_loss(
    logits: Mapping[str, Tensor | Sequence[Tensor]],
    regions: Mapping[str, Tensor],
    weights: Mapping[str, float],
    annotated: Tensor | None = None,
    output: str = "regions",
    combine: Combine | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of the losses of all tasks, in float32 whatever the precision of the logits.

    Args:
        logits: Task -> ``[B, maps, H, W]``, or several such tensors, whose losses are added (deep supervision).
        regions: Task -> bool ``[B, R, H, W]``; for ``output="classes"`` nested, outermost first.
        weights: Task -> weight.
        annotated: bool ``[B, t]``, columns in the order of ``logits``; rows without an annotation cost nothing. ``None`` = all
            are annotated.
        output: As the network was built: ``"regions"`` (binary cross-entropy plus :func:`soft_dice_loss`) or ``"classes"`` (the
            paper's cross-entropy over exclusive classes).
        combine: Another way to make one number of the tasks' losses, see :meth:`drifa.fusion.base.Fusion.combine`.

    Returns:
        The loss (a scalar) and the loss of each task that has an annotated row in the batch.

    Raises:
        DrifaError: For ``output="classes"`` with regions that are not nested.

    References:
        Isensee et al., nnU-Net for brain tumor segmentation, 2020, https://arxiv.org/abs/2011.00848 (regions instead of
        labels; cross-entropy plus Dice over the batch).
    """
    answers = {task: [value] if isinstance(value, Tensor) else list(value) for task, value in logits.items()}
    # keeps the graph when nothing is annotated
    nothing = torch.stack([value.float().sum() * 0.0 for values in answers.values() for value in values]).sum()
    parts = {}
    for column, (task, values) in enumerate(answers.items()):
        truth = regions[task]
        rows = slice(None) if annotated is None else annotated[:, column]
        if len(truth[rows]):
            parts[task] = torch.stack([_one(value[rows].float(), truth[rows], output) for value in values]).sum()
    return nothing + (combine or weighted_losses)(parts, weights), parts


def soft_dice_loss(probabilities: Tensor, regions: Tensor) -> Tensor:
    r"""One minus the Dice overlap of probabilities with the truth, the mean over the regions.

    Sums run over the whole batch. Most slices of a volume hold no tumour: with one Dice per slice they would be judged by the
    smoothing term alone, and a slice with three tumour pixels would weigh as much as one with three thousand.

    .. math::
        1 - \frac{1}{R}\sum_r \frac{2\sum p_r t_r + \epsilon}{\sum p_r + \sum t_r + \epsilon}, \quad \epsilon = 1\ \text{pixel}

    A region that is empty in the whole batch costs 0 when nothing is predicted and almost 1 when much is.

    Args:
        probabilities: ``[B, R, H, W]``.
        regions: bool ``[B, R, H, W]``.
    """
    truth = regions.to(probabilities.dtype)
    both, total = (x.sum(dim=(0, 2, 3)) for x in (probabilities * truth, probabilities + truth))
    return (1 - (2 * both + SMOOTHING) / (total + SMOOTHING)).mean()


def _one(logits: Tensor, regions: Tensor, output: str) -> Tensor:
    if output == "classes":
        return F.cross_entropy(logits, regions_to_classes(regions))
    bce = F.binary_cross_entropy_with_logits(logits, regions.to(logits.dtype))
    return bce + soft_dice_loss(logits.sigmoid(), regions)
