"""A batch: what a network is given, and what it should have answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Some samples, or some slices of volumes.

    Attributes:
        images: Modality -> images ``[B, C, H, W]``, zeros where it is absent: bytes of an image, float32 of a slice, features
            ``[B, F, 1, 1]`` of a tabular modality.
        present: bool ``[B, m]``, columns in the order of the study's modalities.
        targets: Task -> values ``[B]``, or regions bool ``[B, R, H, W]``; they mean nothing where they are not known.
        known: bool ``[B, t]``, columns in the order of the study's tasks.
        seed: Of the augmentation.
        counts: How much the loss of each task counts, if this is a part of a batch; empty = all alike.
    """

    images: Mapping[str, Tensor]
    present: Tensor
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    known: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.bool))
    seed: int = 0
    counts: tuple[float, ...] = ()

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on a device."""

        def moved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device, non_blocking=non_blocking) for name, tensor in tensors.items()}

        return replace(
            self,
            images=moved(self.images),
            present=self.present.to(device, non_blocking=non_blocking),
            targets=moved(self.targets),
            known=self.known.to(device, non_blocking=non_blocking),
        )
