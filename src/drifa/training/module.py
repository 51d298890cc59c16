"""The Lightning module of classification: one network and the multitask loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from drifa.config import Config
from drifa.data.sampling.augment import augment, flip, jitter
from drifa.networks.fusionnet import FusionNet
from drifa.networks.inputs import standardise, to_float, to_input
from drifa.training.losses import NO_LABEL, multitask_loss, task_weights
from drifa.training.recipe import Recipe


class FusionModule(Recipe):
    """Trains a :class:`~drifa.FusionNet`; see :class:`~drifa.training.recipe.Recipe`."""

    net: FusionNet

    def __init__(self, net: FusionNet, config: Config, seed: int, folder: Path) -> None:
        super().__init__(net, config, seed, folder)
        self.weights = task_weights(net.config["tasks"], config.train.task_weights)

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.train_sums = _Sums(self.net.heads)

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        generator = torch.Generator().manual_seed(int(batch["seed"]))  # on the CPU: equal on every device
        data = self.config.data
        images = {
            name: image
            if image.is_floating_point()  # features of a tabular modality
            else jitter(
                standardise(augment(to_float(flip(image, generator, data.flip)), generator, data.degrees, data.shift)),
                generator,
                data.intensity,
            )
            for name, image in batch["images"].items()
        }
        logits, auxiliary = self.net.training_logits(images, batch["present"])
        loss, parts = multitask_loss(logits, batch["labels"], self.weights, self.net.fusion.combine)
        loss = loss + sum(auxiliary.values())
        self.log("loss", loss.detach(), prog_bar=True)
        for name, part in {**parts, **auxiliary}.items():
            self.log(f"loss/{name}", part.detach(), prog_bar=True)
        self.train_sums.add({task: values[0] for task, values in logits.items()}, batch["labels"])
        return loss

    def on_validation_epoch_start(self) -> None:
        self.val_sums = _Sums(self.net.heads)

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        images = {name: to_input(image) for name, image in batch["images"].items()}
        self.val_sums.add(self.net(images, batch["present"]), batch["labels"])

    def epoch_figures(self) -> dict[str, float]:
        train, val = self.train_sums.means(self.trainer), self.val_sums.means(self.trainer)
        row: dict[str, float] = {}
        for name, means in (("train", train), ("val", val)):
            row[f"{name}_loss"] = sum(self.weights[task] * loss for task, (loss, _) in means.items())
        for name, means in (("train", train), ("val", val)):
            for task, (loss, accuracy) in means.items():
                row[f"{name}_loss/{task}"], row[f"{name}_accuracy/{task}"] = loss, accuracy
        return row


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
