"""Running a network: the deterministic pass and Monte-Carlo dropout, over fixed partners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from drifa.errors import DrifaError
from drifa.networks.dropout import pass_keys
from drifa.networks.fusionnet import FusionNet
from drifa.networks.inputs import Inputs
from drifa.uncertainty.views import View


class Given(Protocol):
    """What a network is asked about: a :class:`drifa.data.sampling.batch.Batch`, or anything like it."""

    @property
    def images(self) -> Inputs:
        """Modality -> images ``[B, C, H, W]``, or the maps of an encoder."""

    @property
    def present(self) -> Tensor:
        """bool ``[B, m]``."""


# samples [B, components] -> what they show
Fetch = Callable[[np.ndarray], Given]


@dataclass(frozen=True)
class Draws:
    """Answers of one network for N images: class probabilities, or a value, or a value with its variance.

    Attributes:
        deterministic: Dropout off, one draw per partner, the mean of its views. ``[K, N, k]``
        mc: Dropout on; pass t met partner t mod K, in view (t // K) mod V. ``[T, N, k]``
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
    views: Sequence[View] = (View(),),
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
        views: V ways to look at the images, see :func:`drifa.uncertainty.views.make_views`.

    Returns:
        Per network, task -> its draws.
    """
    count, partners = samples.shape[:2]
    for net in nets:
        net.eval()
    collected = [_Collected(net, passes, views) for net in nets]
    with torch.inference_mode():
        for start in range(0, count, batch_size):
            chosen = samples[start : start + batch_size]
            seeds = row_seeds[start : start + batch_size]
            for k in range(partners):
                batch, turns = fetch(chosen[:, k]), range(k, passes, partners)
                for answers in collected:
                    answers.add(batch, seeds, turns)
            for answers in collected:
                answers.close_batch()
            if progress:
                progress(len(chosen))
    return [answers.draws() for answers in collected]


class _Collected:
    """The answers of one network, partner by partner and batch by batch."""

    def __init__(self, net: FusionNet, passes: int, views: Sequence[View]) -> None:
        self.net, self.passes, self.views = net, passes, views
        self.device = next(net.parameters()).device
        self.links = {task: net.fusion.spec.link(task) for task in net.heads}
        self.finished: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {task: [] for task in net.heads}
        self._open_batch()

    def _open_batch(self) -> None:
        self.fixed: dict[str, list[Tensor]] = {task: [] for task in self.links}
        self.drawn: dict[str, dict[int, Tensor]] = {task: {} for task in self.links}

    def add(self, batch: Given, seeds: Tensor, turns: Sequence[int]) -> None:
        """Answers a batch without dropout in every view, and under the passes of these numbers, each in one of the views."""
        images = self.net.to_input(batch.images)
        present, rows = batch.present.to(self.device), seeds.to(self.device)
        each: dict[str, list[Tensor]] = {task: [] for task in self.links}
        for number, view in enumerate(self.views):
            shown = {name: _seen(name, image, view) for name, image in images.items()}
            own = turns[number :: len(self.views)]
            if own:
                keys = torch.stack([pass_keys(rows, turn) for turn in own])
                fixed, drawn = self.net.answer_and_sample(shown, present, keys)
            else:
                fixed, drawn = self.net(shown, present), {}
            for task, link in self.links.items():
                each[task].append(fixed[task])
                if own:
                    self.drawn[task].update(zip(own, link.answer(drawn[task]).cpu(), strict=True))
        for task, link in self.links.items():
            outputs = each[task][0] if len(self.views) == 1 else link.pool(each[task], [None] * len(self.views))
            self.fixed[task].append(link.answer(outputs).cpu())

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


def _seen(name: str, image: Tensor | Sequence[Tensor], view: View) -> Tensor | Sequence[Tensor]:
    """An image in a view; the features of a tabular modality have only one."""
    if view == View():
        return image
    if not isinstance(image, Tensor):
        raise DrifaError(f"evaluate.tta turns images, and {name!r} comes as the maps of a frozen encoder; leave it out")
    return image if image.shape[-1] == 1 else view(image)
