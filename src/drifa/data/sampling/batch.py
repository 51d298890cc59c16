"""A batch: what a network is given, and what it should have answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

#: Images, or per level the maps that a frozen encoder gave for them.
Shown = Tensor | list[Tensor]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some samples, or some slices of volumes.

    Attributes:
        images: Modality -> images ``[B, C, H, W]``, zeros where it is absent: bytes of an image, float32 of a slice, features
            ``[B, F, 1, 1]`` of a tabular modality; or a list of the maps that a frozen encoder gave for them.
        present: bool ``[B, m]``, columns in the order of the study's modalities.
        targets: Task -> values ``[B]``, or regions bool ``[B, R, H, W]``; they mean nothing where they are not known.
        known: bool ``[B, t]``, columns in the order of the study's tasks.
        seed: Of the augmentation.
        counts: How much the loss of each task counts, if this is a part of a batch; empty = all alike.
    """

    images: Mapping[str, Shown]
    present: Tensor
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    known: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.bool))
    seed: int = 0
    counts: tuple[float, ...] = ()

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The images, and what is no map."""
        return {name: shown for name, shown in self.images.items() if isinstance(shown, Tensor)}

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on a device."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        return replace(
            self,
            images={
                name: moved(shown) if isinstance(shown, Tensor) else [moved(level) for level in shown]
                for name, shown in self.images.items()
            },
            present=moved(self.present),
            targets={name: moved(values) for name, values in self.targets.items()},
            known=moved(self.known),
        )
