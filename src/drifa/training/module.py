"""The Lightning module: one network, the multitask loss, the paper's schedule, and checkpoints that resume exactly."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import torch
from torch import Tensor, nn

from drifa.config import Config
from drifa.data.augment import augment, standardise, to_float
from drifa.files import atomic_path
from drifa.networks.folder import save_weights
from drifa.networks.fusionnet import FusionNet
from drifa.training.losses import NO_LABEL, multitask_loss, task_weights


class FusionModule(L.LightningModule):
    """Trains a :class:`~drifa.FusionNet`.

    Adam, ReduceLROnPlateau on the validation loss, best weights kept (paper, section 4). Everything random in an epoch is a
    function of (seed, epoch), and a checkpoint is written after the scheduler has stepped, so that a run resumed from it
    continues to the same weights as one that was never interrupted.

    Args:
        net: The network.
        config: The resolved configuration.
        seed: Of this member.
        folder: The member's folder: ``model.safetensors`` (best), ``last.ckpt`` (resume), ``history.csv``.
    """

    def __init__(self, net: FusionNet, config: Config, seed: int, folder: Path) -> None:
        super().__init__()
        self.net, self.config, self.seed, self.folder = net, config, seed, folder
        self.weights = task_weights(net.config["tasks"], config.train.task_weights)
        self.history: list[dict[str, float]] = []
        self.best = float("inf")
        self.stale = 0

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
        self.train_sums = _Sums(self.net.heads)

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        generator = torch.Generator().manual_seed(int(batch["seed"]))  # on the CPU: equal on every device
        data = self.config.data
        images = {
            name: standardise(augment(image, generator, degrees=data.degrees, shift=data.shift))
            for name, image in batch["images"].items()
        }
        logits = self.net(images, batch["present"])
        loss, parts = multitask_loss(logits, batch["labels"], self.weights)
        self.log("loss", loss.detach(), prog_bar=True)
        for task, part in parts.items():
            self.log(f"loss/{task}", part.detach(), prog_bar=True)
        self.train_sums.add(logits, batch["labels"])
        return loss

    def on_validation_epoch_start(self) -> None:
        self.val_sums = _Sums(self.net.heads)

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        images = {name: standardise(to_float(image)) for name, image in batch["images"].items()}
        self.val_sums.add(self.net(images, batch["present"]), batch["labels"])

    def on_train_epoch_end(self) -> None:
        train, val = self.train_sums.means(self.trainer), self.val_sums.means(self.trainer)
        row: dict[str, float] = {"epoch": self.current_epoch, "lr": self.optimizers().param_groups[0]["lr"]}  # type: ignore[union-attr]
        for name, means in (("train", train), ("val", val)):
            row[f"{name}_loss"] = sum(self.weights[task] * loss for task, (loss, _) in means.items())
        for name, means in (("train", train), ("val", val)):
            for task, (loss, accuracy) in means.items():
                row[f"{name}_loss/{task}"], row[f"{name}_accuracy/{task}"] = loss, accuracy
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


class _Sums:
    """Sums of loss, hits and labelled images per task, kept on the device until the epoch ends."""

    def __init__(self, tasks: nn.ModuleDict) -> None:
        self.tasks = list(tasks)
        self.sums: Tensor | None = None

    def add(self, logits: dict[str, Tensor], labels: Tensor) -> None:
        rows = []
        for column, task in enumerate(self.tasks):
            truth = labels[:, column]
            known = truth != NO_LABEL
            value = logits[task].detach().float()
            losses = nn.functional.cross_entropy(value, truth.clamp_min(0), reduction="none")
            hits = (value.argmax(1) == truth) & known
            rows.append(torch.stack([(losses * known).sum(), hits.sum(), known.sum()]).double())
        batch = torch.stack(rows)
        self.sums = batch if self.sums is None else self.sums + batch

    def means(self, trainer: L.Trainer) -> dict[str, tuple[float, float]]:
        """Task -> (mean loss, accuracy) over all processes; tasks without a label are left out."""
        assert self.sums is not None
        sums = trainer.strategy.reduce(self.sums, reduce_op="sum")
        assert isinstance(sums, Tensor)
        return {
            task: (loss / count, hits / count)
            for task, (loss, hits, count) in zip(self.tasks, sums.tolist(), strict=True)
            if count
        }
