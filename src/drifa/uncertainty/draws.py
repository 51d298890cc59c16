"""Running a network: the deterministic pass and Monte-Carlo dropout, over fixed partners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

    def of(self, position: int) -> Draws:
        """Those of one image."""
        chosen = slice(position, position + 1)
        return Draws(self.deterministic[:, chosen], self.mc[:, chosen])


def draw(
    nets: Sequence[FusionNet],
    fetch: Fetch,
    samples: np.ndarray,
    row_seeds: Tensor,
    passes: int,
    batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Draws]]:
    """Answers of networks to all tasks for all samples, see :class:`drifa.links.Link`; each sample is read once.

    The dropout masks of a row depend on its seed and the number of the pass, so neither the batch size nor the order of
    the rows changes a result.

    Args:
        nets: With the same tasks, in any mode; they are put into evaluation mode (BatchNorm uses its running statistics).
        fetch: Reads a batch.
        samples: K samples per target. ``[N, K, components]``
        row_seeds: int64 ``[N]``, see :func:`drifa.networks.dropout.row_seeds`.
        passes: T, Monte-Carlo passes; 0 = deterministic only.
        batch_size: Targets per forward pass.
        progress: Called with the number of targets finished by all networks.

    Returns:
        Per network, task -> its draws.
    """
    count, partners = samples.shape[:2]
    for net in nets:
        net.eval()
    collected = [_Collected(net, passes) for net in nets]
    with torch.inference_mode():
        for start in range(0, count, batch_size):
            chosen = samples[start : start + batch_size]
            seeds = row_seeds[start : start + batch_size]
            for k in range(partners):
                batch, turns = fetch(chosen[:, k]), list(range(k, passes, partners))
                for answers in collected:
                    answers.add(batch, seeds, turns)
            for answers in collected:
                answers.close_batch()
            if progress:
                progress(len(chosen))
    return [answers.draws() for answers in collected]


class _Collected:
    """The answers of one network, partner by partner and batch by batch."""

    def __init__(self, net: FusionNet, passes: int) -> None:
        self.net, self.passes = net, passes
        self.device = next(net.parameters()).device
        self.links = {task: net.fusion.spec.link(task) for task in net.heads}
        self.finished: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {task: [] for task in net.heads}
        self._open_batch()

    def _open_batch(self) -> None:
        self.fixed: dict[str, list[Tensor]] = {task: [] for task in self.links}
        self.drawn: dict[str, dict[int, Tensor]] = {task: {} for task in self.links}

    def add(self, batch: Given, seeds: Tensor, turns: Sequence[int]) -> None:
        """Answers a batch without dropout, and under the passes of these numbers."""
        images = self.net.to_input({name: image.to(self.device) for name, image in batch.images.items()})
        present, rows = batch.present.to(self.device), seeds.to(self.device)
        if turns:
            keys = torch.stack([pass_keys(rows, turn) for turn in turns])
            fixed, drawn = self.net.answer_and_sample(images, present, keys)
        else:
            fixed, drawn = self.net(images, present), {}
        for task, link in self.links.items():
            self.fixed[task].append(link.answer(fixed[task]).cpu())
            if turns:
                self.drawn[task].update(zip(turns, link.answer(drawn[task]).cpu(), strict=True))

    def close_batch(self) -> None:
        """Every partner of these targets has been met."""
        for task, done in self.finished.items():
            fixed = torch.stack(self.fixed[task]).double().numpy()
            passes = [self.drawn[task][turn] for turn in range(self.passes)]
            done.append((fixed, torch.stack(passes).double().numpy() if passes else np.empty((0, *fixed.shape[1:]))))
        self._open_batch()

    def draws(self) -> dict[str, Draws]:
        return {
            task: Draws(*(np.concatenate(parts, axis=1) for parts in zip(*done, strict=True)))
            for task, done in self.finished.items()
        }
