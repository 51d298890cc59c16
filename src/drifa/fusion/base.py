"""The contract between the branches and what couples them.

A fusion is a plain module with three methods. It is constructed with the channels of every stage, is called after each
stage with one map per modality, and turns the last maps into the vector that the task heads read. Absent modalities are
``None`` (absent in the whole batch) or rows of zeros that ``present`` marks; a fusion must not let them matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from drifa.attention.pooling import global_mean
from drifa.errors import DrifaError, suggest


@dataclass(frozen=True)
class FusionSpec:
    """What a fusion is built for.

    Attributes:
        modalities: Names, in the order of the columns of ``present``.
        channels: Per modality, the output channels of every stage.
        ends_level: Per stage, whether a resolution level ends there.
        tasks: Name -> number of classes.
        task_modalities: Name -> the modalities whose subjects carry the task.
    """

    modalities: tuple[str, ...]
    channels: tuple[tuple[int, ...], ...]
    ends_level: tuple[bool, ...]
    tasks: Mapping[str, int]
    task_modalities: Mapping[str, tuple[str, ...]]

    def equal_channels(self, stage: int, fusion: str) -> int:
        """The channels that all modalities share at a stage, or an error that names them."""
        found = {channels[stage] for channels in self.channels}
        if len(found) > 1:
            named = {name: channels[stage] for name, channels in zip(self.modalities, self.channels, strict=True)}
            raise DrifaError(f"fusion {fusion!r} needs equal channels in all modalities; stage {stage} gives {named}")
        return found.pop()


class Fusion(nn.Module):
    """Late fusion by concatenation: the base of every fusion, and already the control ``concat``.

    Args:
        spec: The branches and tasks.
        options: Choices of the fusion itself; a base class takes none.
    """

    name: ClassVar[str] = "concat"
    uses_mfa: ClassVar[bool] = False

    def __init__(self, spec: FusionSpec, **options: Any) -> None:
        super().__init__()
        if options:
            raise DrifaError(f"fusion {self.name!r} takes no option {next(iter(options))!r}")
        self.spec = spec

    @property
    def dim(self) -> int:
        """D, the length of the readout."""
        return sum(channels[-1] for channels in self.spec.channels)

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        """Couples the branches after a stage.

        Args:
            stage: 0 … K - 1.
            features: Per modality ``[B, C, H, W]``, or ``None`` where no row has it.
            present: bool ``[B, m]``, or ``None`` when all are present.

        Returns:
            The features that the next stage reads, in the same form.
        """
        return list(features)

    def readout(self, features: Sequence[Tensor | None], present: Tensor | None) -> Tensor:
        """Pools the last maps and joins them. Returns ``[B, D]``; an absent modality contributes zeros."""
        like = next(feature for feature in features if feature is not None)
        parts = []
        for i, feature in enumerate(features):
            if feature is None:
                parts.append(like.new_zeros(like.shape[0], self.spec.channels[i][-1]))
                continue
            pooled = global_mean(feature)
            parts.append(pooled if present is None else torch.where(present[:, i, None], pooled, 0))
        return torch.cat(parts, dim=1)

    def make_head(self, task: str) -> nn.Module:
        """The head of a task: ``[B, D] -> [B, classes]``."""
        return nn.Linear(self.dim, self.spec.tasks[task])


def check_choice(place: str, value: str, choices: Sequence[str]) -> None:
    """Refuses a value that is not among the choices."""
    if value not in choices:
        raise DrifaError(f"{place}={value!r} is not known{suggest(value, choices)}")
