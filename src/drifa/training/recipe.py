"""How every network is trained: optimiser and schedule, a history, and checkpoints that resume exactly."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import torch
from torch import Tensor, nn

from drifa.config import Config
from drifa.errors import DrifaError, short
from drifa.files import atomic_path, write_csv
from drifa.networks.folder import save_weights
from drifa.networks.gates import GateSums
from drifa.training.optim import RunningAverage, cosine_factor, make_optimizer, trunk_parameters

#: A training of fewer epochs is a trial, of which nobody expects that it has learned something after a third.
FEW_EPOCHS = 6
#: Samples of each modality over which the gates are measured after every epoch, the same ones each time.
GATE_SAMPLES = 64


def check_checkpoint(path: Path, net: nn.Module) -> None:
    """Refuses a `last.ckpt` that is damaged, or of another training, before anything is restored from it.

    Args:
        path: The file.
        net: The network that is to be restored from it.
    """
    remedy = "delete it, and the member is trained from its beginning"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        told, weights = state["drifa"], state["state_dict"]
        shapes = {name: value.shape for name, value in weights.items()}
        wanted = {f"net.{name}": value.shape for name, value in net.state_dict().items()}
        averaged = {name.replace("net.", "averaged.module.", 1): shape for name, shape in wanted.items()}
        averaged["averaged.n_averaged"] = torch.Size([])
        fits = shapes in (wanted, wanted | averaged)
        rows = all(isinstance(value, int | float) for row in told["history"] for value in row.values())
        rows = rows and all(isinstance(value, int | float | str) for row in told.get("gates", ()) for value in row.values())
        whole = rows and isinstance(told["best"], float) and isinstance(told["stale"], int) and isinstance(state["epoch"], int)
        whole = whole and isinstance(told["scheduler"], dict) and {"optimizer_states", "loops"} <= state.keys()
    except Exception as error:  # of a damaged file the reader raises many kinds
        raise DrifaError(f"{path} cannot be read as the checkpoint of a training ({short(error)}); {remedy}") from None
    if not (fits and whole):
        raise DrifaError(f"{path} is not the checkpoint of this training: what it holds does not fit; {remedy}")


class Recipe(L.LightningModule):
    """By default Adam, ReduceLROnPlateau on the validation loss, best weights kept (paper, section 4).

    Everything random in an epoch is a function of (seed, epoch), and a checkpoint is written after the scheduler has stepped,
    so that a run resumed from it continues to the same weights as one that was never interrupted. What is learned, a subclass
    says.

    Args:
        net: The network.
        config: The resolved configuration.
        seed: Of this member.
        folder: The member's folder: ``model.safetensors`` (best), ``last.ckpt`` (resume), ``history.csv``,
            ``gates.csv`` (of networks that have some).
        floors: Task of classes -> the share of its most common class on validation.
    """

    def __init__(self, net: Any, config: Config, seed: int, folder: Path, floors: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.net, self.config, self.seed, self.folder = net, config, seed, folder
        # A process has nothing to validate where there are more processes than targets.
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self.history: list[dict[str, float]] = []
        self.gates: list[dict[str, Any]] = []
        self.gate_sums = GateSums(0)
        self.best = float("inf")
        self.stale = 0
        self.floors = floors or {}
        self.notes: list[str] = []
        recipe = config.train
        self.averaged = RunningAverage(net, recipe.ema) if recipe.ema else None
        self.trunk = trunk_parameters(net)
        self.pretrained = [net.branches[name] for name in net.loaded]

    @property
    def judged(self) -> Any:
        """The network that is validated and kept: the running average of the weights where there is one."""
        return self.averaged.module if self.averaged is not None else self.net

    @abstractmethod
    def epoch_figures(self) -> dict[str, float]:
        """The figures of the epoch that ends, equal in all processes; ``val_loss`` decides about checkpoint and schedule."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        recipe = self.config.train
        optimizer = make_optimizer(self.net, recipe)
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        # Stepped by hand: Lightning leaves plateau schedulers out when it resumes from an epoch-end checkpoint.
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            factor=recipe.lr_factor,
            patience=recipe.lr_patience,
            min_lr=[min(recipe.lr_min, peak) for peak in self.peaks],
            threshold=1e-4,
            threshold_mode="abs",
        )
        return optimizer

    def on_train_epoch_start(self) -> None:
        self.started = time.perf_counter()
        self.gate_sums = GateSums(GATE_SAMPLES if self.trainer.is_global_zero else 0)
        # The dropout of each process is its own; torch looks at the lowest 32 bits, in which the odd factor keeps ranks apart.
        torch.manual_seed(1_000_003 * self.seed + self.current_epoch + 0x9E3779B1 * self.trainer.global_rank)
        frozen = self.current_epoch < self.config.train.freeze_epochs
        for parameter in self.trunk if self.config.train.freeze_epochs else ():
            parameter.requires_grad_(not frozen)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        recipe = self.config.train
        if recipe.schedule == "cosine":
            each = int(self.trainer.num_training_batches) // recipe.accumulate
            # In the middle of the step, so that neither the first nor the last of them has no size at all.
            progress = (self.current_epoch * each + batch_idx // recipe.accumulate + 0.5) / (recipe.epochs * each)
            for group, peak in zip(self.optimizers().param_groups, self.peaks, strict=True):  # type: ignore[union-attr]
                group["lr"] = peak * cosine_factor(progress, recipe.warmup / recipe.epochs, min(1, recipe.lr_min / peak))
        if self.current_epoch < recipe.freeze_epochs:
            # Frozen weights keep the statistics that belong to them.
            for branch in self.pretrained:
                hold_statistics(branch)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.averaged is not None and (batch_idx + 1) % self.config.train.accumulate == 0:
            self.averaged.update_parameters(self.net)
        # Before the validation, which a process without a target skips with all its hooks.
        if self.trainer.world_size > 1 and batch_idx + 1 == self.trainer.num_training_batches:
            pool_statistics(self, lambda values: self.trainer.strategy.reduce(values, reduce_op="mean"))

    def on_train_epoch_end(self) -> None:
        row: dict[str, float] = {"epoch": self.current_epoch, "lr": self.optimizers().param_groups[0]["lr"]}  # type: ignore[union-attr]
        row |= self.epoch_figures()
        row["seconds"] = time.perf_counter() - self.started
        self.history.append(row)
        self.gates += [{"epoch": self.current_epoch, **asdict(gate)} for gate in self.gate_sums.gates()]
        self.log("val_loss", row["val_loss"], prog_bar=True, rank_zero_only=True)
        if self.config.train.schedule == "plateau":
            self.scheduler.step(row["val_loss"])
        better = row["val_loss"] < self.best
        self.best, self.stale = (row["val_loss"], 0) if better else (self.best, self.stale + 1)
        self._warn_of_floors(row)
        patience = self.config.train.early_stopping
        if patience and self.stale >= patience:
            self.trainer.should_stop = True
        self._write(better)

    def _warn_of_floors(self, row: dict[str, float]) -> None:
        """After a third of the epochs, says which tasks are no better than always answering the most common class."""
        if self.config.train.epochs < FEW_EPOCHS or len(self.history) != self.config.train.epochs // 3:
            return
        for task, floor in self.floors.items():
            best = max(past.get(f"val_accuracy/{task}", 1.0) for past in self.history)
            if best <= floor:
                self.notes.append(
                    f"after {len(self.history)} of {self.config.train.epochs} epochs, task {task!r} has at best "
                    f"{best:.1%} accuracy on validation, where the most common class alone has {floor:.1%}"
                )
                if self.trainer.is_global_zero:
                    logging.getLogger("drifa").warning(self.notes[-1])

    def _write(self, better: bool) -> None:
        if self.trainer.is_global_zero:
            if better:
                save_weights(self.judged, self.folder / "model.safetensors")
            write_csv(self.folder / "history.csv", pd.DataFrame(self.history))
            if self.gates:
                write_csv(self.folder / "gates.csv", pd.DataFrame(self.gates))
        checkpoint = self.folder / "last.ckpt"
        if self.trainer.world_size == 1:
            with atomic_path(checkpoint) as temporary:
                self.trainer.save_checkpoint(temporary)
        else:  # every process takes part, and Lightning's own write is atomic
            self.trainer.save_checkpoint(checkpoint)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["drifa"] = {
            "history": self.history,
            "gates": self.gates,
            "best": self.best,
            "stale": self.stale,
            "notes": self.notes,
            "scheduler": self.scheduler.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["drifa"]
        self.history, self.best, self.stale = list(state["history"]), state["best"], state["stale"]
        self.notes, self.gates = list(state.get("notes", ())), list(state.get("gates", ()))
        self.restored_scheduler = state["scheduler"]

    def on_fit_start(self) -> None:
        if hasattr(self, "restored_scheduler"):
            self.scheduler.load_state_dict(self.restored_scheduler)


def hold_statistics(module: nn.Module) -> None:
    """Leaves the running statistics of every BatchNorm as they are."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()


def pool_statistics(module: nn.Module, mean: Callable[[Tensor], Any]) -> None:
    """Gives every BatchNorm the mean over the processes of the statistics that each has seen.

    Args:
        module: Anything with such parts.
        mean: Of a tensor over all processes.
    """
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None and part.running_var is not None:
            part.running_mean.copy_(mean(part.running_mean.clone()))
            part.running_var.copy_(mean(part.running_var.clone()))
