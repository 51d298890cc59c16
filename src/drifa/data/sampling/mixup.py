"""Mixup: each row of a training batch becomes a blend of itself and another row with the same modalities.

Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018, https://arxiv.org/abs/1710.09412
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from drifa.data.sampling.batch import Batch


def mixup(batch: Batch, generator: torch.Generator, alpha: float) -> tuple[Batch, Tensor]:
    """Blends every row with a partner of the same presence pattern: λ of itself and 1 - λ of the other, λ of Beta(α, α).

    One λ holds for all modalities and all tasks of a row. Partners are a permutation of the rows of a pattern, so that each row
    is used as often; a row whose pattern no other has stays as it is. An absent modality can thus never fade in.

    Args:
        batch: With standardised images and features, floats, and no maps.
        generator: Source of randomness, on the CPU.
        alpha: Of the Beta distribution, above 0; the smaller it is, the more rows stay almost as they are.

    Returns:
        The batch, its ``targets`` and ``known`` twice as long: those of the rows, then those of their partners; and the share
        that each of them has in its row, float32 ``[2B]``, which sums to 1 for each row. What has no share is not known.
    """
    random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    pattern = batch.present.cpu().numpy() @ (1 << np.arange(batch.present.shape[1]))
    partner = np.empty(len(pattern), dtype=np.int64)
    partner[np.argsort(pattern, kind="stable")] = np.lexsort((random.random(len(pattern)), pattern))
    device = batch.present.device
    other = torch.from_numpy(partner).to(device)
    own = torch.from_numpy(random.beta(alpha, alpha, len(pattern)).astype(np.float32)).to(device)
    share = torch.cat([own, 1 - own])

    def blend(values: Tensor) -> Tensor:
        # In this form a row that is its own partner keeps every bit.
        return values[other] + own.reshape(-1, *[1] * (values.ndim - 1)).to(values) * (values - values[other])

    mixed = replace(
        batch,
        images={name: blend(values) for name, values in batch.tensors.items()},
        targets={task: torch.cat([values, values[other]]) for task, values in batch.targets.items()},
        known=torch.cat([batch.known, batch.known[other]]) & (share > 0)[:, None],
    )
    return mixed, share
