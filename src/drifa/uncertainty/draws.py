"""Running a network: the deterministic pass and Monte-Carlo dropout, over fixed partners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from drifa.networks.dropout import pass_keys
from drifa.networks.fusionnet import FusionNet


class Given(Protocol):
    """What a network is asked about: a :class:`drifa.data.sampling.batch.Batch`, or anything like it."""

    @property
    def images(self) -> Mapping[str, Tensor]:
        """Modality -> images ``[B, C, H, W]``."""

    @property
    def present(self) -> Tensor:
        """bool ``[B, m]``."""


# samples [B, components] -> what they show
Fetch = Callable[[np.ndarray], Given]


@dataclass(frozen=True)
class Draws:
    """Answers of one network for N images: class probabilities, or a value, or a value with its variance.

    Attributes:
        deterministic: Dropout off, one draw per partner. ``[K, N, k]``
        mc: Dropout on; pass t met partner t mod K. ``[T, N, k]``
    """

    deterministic: np.ndarray
    mc: np.ndarray


def draw(
    net: FusionNet,
    fetch: Fetch,
    samples: np.ndarray,
    row_seeds: Tensor,
    passes: int,
    batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Draws]:
    """Answers to all tasks for all samples, see :class:`drifa.links.Link`.

    The dropout masks of a row depend on its seed and the number of the pass, so neither the batch size nor the order of
    the rows changes a result.

    Args:
        net: In any mode; it is put into evaluation mode (BatchNorm uses its running statistics).
        fetch: Reads a batch.
        samples: K samples per target. ``[N, K, components]``
        row_seeds: int64 ``[N]``, see :func:`drifa.networks.dropout.row_seeds`.
        passes: T, Monte-Carlo passes; 0 = deterministic only.
        batch_size: Targets per forward pass.
        progress: Called with the number of targets finished.
    """
    net.eval()
    device = next(net.parameters()).device
    count, partners = samples.shape[:2]
    link = {task: net.fusion.spec.link(task) for task in net.heads}
    found: dict[str, list[list[np.ndarray]]] = {task: [[], []] for task in net.heads}
    with torch.inference_mode():
        for start in range(0, count, batch_size):
            chosen = samples[start : start + batch_size]
            seeds = row_seeds[start : start + batch_size].to(device)
            fixed: dict[str, list[Tensor]] = {task: [] for task in net.heads}
            stochastic: dict[str, list[Tensor | None]] = {task: [None] * passes for task in net.heads}
            for k in range(partners):
                batch = fetch(chosen[:, k])
                images = net.to_input({name: image.to(device) for name, image in batch.images.items()})
                present = batch.present.to(device)
                for task, outputs in net(images, present).items():
                    fixed[task].append(link[task].answer(outputs).cpu())
                turns = list(range(k, passes, partners))
                if turns:
                    keys = torch.stack([pass_keys(seeds, turn) for turn in turns])
                    for task, outputs in net.sample(images, present, keys).items():
                        for turn, answer in zip(turns, link[task].answer(outputs).cpu(), strict=True):
                            stochastic[task][turn] = answer
            for task in net.heads:
                found[task][0].append(torch.stack(fixed[task]).double().numpy())
                drawn = [answer for answer in stochastic[task] if answer is not None]
                found[task][1].append(
                    torch.stack(drawn).double().numpy() if drawn else np.empty((0, *found[task][0][-1].shape[1:]))
                )
            if progress:
                progress(len(chosen))
    return {task: Draws(np.concatenate(fixed, axis=1), np.concatenate(mc, axis=1)) for task, (fixed, mc) in found.items()}
