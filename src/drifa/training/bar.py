"""The line that a training shows."""

from __future__ import annotations

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar

#: Characters of the bar itself, so that all fits into a line of 80.
BAR = 12


class EpochBar(RichProgressBar):
    """Network, epoch, share of it that is done, time and validation loss, in one line; epochs count from 1.

    Args:
        number: Of the network, from 0.
        members: How many there are.
    """

    def __init__(self, number: int, members: int) -> None:
        super().__init__(leave=False)
        self.network = f"network {number + 1}/{members}, " if members > 1 else ""

    def _get_train_description(self, current_epoch: int) -> str:
        return f"{self.network}epoch {current_epoch + 1}/{self.trainer.max_epochs}"

    def get_metrics(self, trainer: L.Trainer, module: L.LightningModule) -> dict[str, Any]:
        """The validation loss; empty before the first one."""
        return {name: value for name, value in super().get_metrics(trainer, module).items() if name == "val_loss"}

    def configure_columns(self, trainer: L.Trainer) -> list[Any]:
        """Lightning's, with a short bar, and without a speed in batches, which says nothing to people."""
        from rich.progress import BarColumn

        columns = super().configure_columns(trainer)[:-1]
        for column in columns:
            if isinstance(column, BarColumn):
                column.bar_width = BAR
        return columns
