"""How every network is trained: the paper's optimiser and schedule, a history, and checkpoints that resume exactly."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import torch
from torch import nn

from drifa.config import Config
from drifa.files import atomic_path
from drifa.networks.folder import save_weights


class Recipe(L.LightningModule):
    """Adam, ReduceLROnPlateau on the validation loss, best weights kept (paper, section 4).

    Everything random in an epoch is a function of (seed, epoch), and a checkpoint is written after the scheduler has stepped,
    so that a run resumed from it continues to the same weights as one that was never interrupted. What is learned, a subclass
    says.

    Args:
        net: The network.
        config: The resolved configuration.
        seed: Of this member.
        folder: The member's folder: ``model.safetensors`` (best), ``last.ckpt`` (resume), ``history.csv``.
    """

    def __init__(self, net: nn.Module, config: Config, seed: int, folder: Path) -> None:
        super().__init__()
        self.net, self.config, self.seed, self.folder = net, config, seed, folder
        self.history: list[dict[str, float]] = []
        self.best = float("inf")
        self.stale = 0

    @abstractmethod
    def epoch_figures(self) -> dict[str, float]:
        """The figures of the epoch that ends, equal in all processes; ``val_loss`` decides about checkpoint and schedule."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        recipe = self.config.train
        optimizer = torch.optim.Adam(self.net.parameters(), lr=recipe.lr)
        # Stepped by hand: Lightning leaves plateau schedulers out when it resumes from an epoch-end checkpoint.
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            factor=recipe.lr_factor,
            patience=recipe.lr_patience,
            min_lr=min(recipe.lr_min, recipe.lr),
            threshold=1e-4,
            threshold_mode="abs",
        )
        return optimizer

    def on_train_epoch_start(self) -> None:
        self.started = time.perf_counter()
        torch.manual_seed(1_000_003 * self.seed + self.current_epoch)

    def on_train_epoch_end(self) -> None:
        row: dict[str, float] = {"epoch": self.current_epoch, "lr": self.optimizers().param_groups[0]["lr"]}  # type: ignore[union-attr]
        row |= self.epoch_figures()
        row["seconds"] = time.perf_counter() - self.started
        self.history.append(row)
        self.log("val_loss", row["val_loss"], prog_bar=True, rank_zero_only=True)
        self.scheduler.step(row["val_loss"])
        better = row["val_loss"] < self.best
        self.best, self.stale = (row["val_loss"], 0) if better else (self.best, self.stale + 1)
        patience = self.config.train.early_stopping
        if patience and self.stale >= patience:
            self.trainer.should_stop = True
        self._write(better)

    def _write(self, better: bool) -> None:
        if self.trainer.is_global_zero:
            if better:
                save_weights(self.net, self.folder / "model.safetensors")
            with atomic_path(self.folder / "history.csv") as temporary:
                pd.DataFrame(self.history).to_csv(temporary, index=False)
        checkpoint = self.folder / "last.ckpt"
        if self.trainer.world_size == 1:
            with atomic_path(checkpoint) as temporary:
                self.trainer.save_checkpoint(temporary)
        else:  # every process takes part, and Lightning's own write is atomic
            self.trainer.save_checkpoint(checkpoint)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["drifa"] = {
            "history": self.history,
            "best": self.best,
            "stale": self.stale,
            "scheduler": self.scheduler.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["drifa"]
        self.history, self.best, self.stale = list(state["history"]), state["best"], state["stale"]
        self.restored_scheduler = state["scheduler"]

    def on_fit_start(self) -> None:
        if hasattr(self, "restored_scheduler"):
            self.scheduler.load_state_dict(self.restored_scheduler)
