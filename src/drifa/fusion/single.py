"""The control without fusion: one plain network per modality, side by side, each task read from its own (S0)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from drifa.errors import DrifaError
from drifa.fusion.base import Fusion


class Single(Fusion):
    """Each task is read from exactly one modality, and nothing passes between the branches.

    A task that several modalities carry needs a choice: restrict it with ``task_modalities={task: [modality]}``.
    """

    name: ClassVar[str] = "single"
    title: ClassVar[str] = "nothing; each task is read from its own modality"
    serves_decoder: ClassVar[bool] = False

    def make_head(self, task: str) -> nn.Module:
        sources = self.spec.task_modalities[task]
        if len(sources) != 1:
            raise DrifaError(
                f"fusion 'single' reads each task from one modality, and task {task!r} has {', '.join(sources)}; choose one: "
                f"task_modalities={{{task!r}: [{sources[0]!r}]}}"
            )
        widths = [channels[-1] for channels in self.spec.channels]
        i = self.spec.modalities.index(sources[0])
        return SliceHead(sum(widths[:i]), widths[i], self.spec.tasks[task])


class SliceHead(nn.Module):
    """A linear head that reads ``width`` numbers of the readout from ``start`` on."""

    def __init__(self, start: int, width: int, outputs: int) -> None:
        super().__init__()
        self.start, self.width = start, width
        self.linear = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x[:, self.start : self.start + self.width])
