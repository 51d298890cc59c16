"""The Lightning module of segmentation: slices in, regions out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from drifa.config import Config
from drifa.data.sampling.augment import augment_together, jitter
from drifa.networks.regions import region_probabilities
from drifa.networks.segnet import FusionSegNet
from drifa.tasks.regions import segmentation_loss
from drifa.training.losses import task_weights
from drifa.training.recipe import Recipe


class SegmentationModule(Recipe):
    """Trains a :class:`~drifa.FusionSegNet` on slices; see :class:`~drifa.training.recipe.Recipe`.

    The validation loss is that of training, over all validation slices; the history also has the Dice of each region over the
    voxels of all slices together.
    """

    net: FusionSegNet

    def __init__(
        self, net: FusionSegNet, config: Config, seed: int, folder: Path, regions: Mapping[str, tuple[str, ...]]
    ) -> None:
        super().__init__(net, config, seed, folder)
        self.regions = regions
        self.weights = task_weights(net.config["regions"], config.train.task_weights)

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.train_sums = _Sums(self.regions)

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        generator = torch.Generator().manual_seed(int(batch["seed"]))  # on the CPU: equal on every device
        data = self.config.data
        images, regions = augment_together(batch["images"], batch["regions"], generator, data.degrees, data.shift, data.flip)
        images = {name: jitter(image, generator, data.intensity) for name, image in images.items()}
        logits, auxiliary = self.net.training_logits(images, batch["present"])
        output = self.net.config["output"]
        loss, parts = segmentation_loss(logits, regions, self.weights, batch["annotated"], output, self.net.fusion.combine)
        loss = loss + sum(auxiliary.values())
        self.log("loss", loss.detach(), prog_bar=True)
        for name, part in {**parts, **auxiliary}.items():
            self.log(f"loss/{name}", part.detach(), prog_bar=True)
        self.train_sums.add({task: values[0].detach() for task, values in logits.items()}, regions, parts, batch, output)
        return loss

    def on_validation_epoch_start(self) -> None:
        self.val_sums = _Sums(self.regions)

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        logits = self.net(batch["images"], batch["present"])
        output = self.net.config["output"]
        _, parts = segmentation_loss(logits, batch["regions"], self.weights, batch["annotated"], output)
        self.val_sums.add(logits, batch["regions"], parts, batch, output)

    def epoch_figures(self) -> dict[str, float]:
        row: dict[str, float] = {}
        found = {name: sums.means(self.trainer) for name, sums in (("train", self.train_sums), ("val", self.val_sums))}
        for name, (losses, _) in found.items():
            row[f"{name}_loss"] = sum(self.weights[task] * loss for task, loss in losses.items())
        for name, (losses, dice) in found.items():
            row |= {f"{name}_loss/{task}": loss for task, loss in losses.items()}
            row |= {f"{name}_dice/{region}": value for region, value in dice.items()}
        return row


class _Sums:
    """Losses and voxel counts of an epoch, kept on the device until it ends."""

    def __init__(self, regions: Mapping[str, tuple[str, ...]]) -> None:
        self.regions = regions
        self.losses: Tensor | None = None
        self.voxels: dict[str, Tensor] = {}

    def add(
        self,
        logits: Mapping[str, Tensor],
        truth: Mapping[str, Tensor],
        parts: Mapping[str, Tensor],
        batch: Mapping[str, Any],
        output: str,
    ) -> None:
        rows = []
        for column, (task, value) in enumerate(logits.items()):
            known = batch["annotated"][:, column]
            predicted = region_probabilities(value, output)[known] >= 0.5
            real = truth[task][known]
            counts = torch.stack(
                [(predicted & real).sum(dim=(0, 2, 3)), predicted.sum(dim=(0, 2, 3)) + real.sum(dim=(0, 2, 3))]
            )
            self.voxels[task] = self.voxels.get(task, 0) + counts.double()
            weight = known.sum().double()
            loss = parts[task].detach().double() if task in parts else weight * 0
            rows.append(torch.stack([loss * weight, weight]))
        self.losses = torch.stack(rows) if self.losses is None else self.losses + torch.stack(rows)

    def means(self, trainer: L.Trainer) -> tuple[dict[str, float], dict[str, float]]:
        """Task -> mean loss, and TASK/REGION -> Dice, over all processes."""
        losses, dice = {}, {}
        for (task, names), row in zip(self.regions.items(), self._summed(trainer, self.losses).tolist(), strict=True):
            if row[1]:
                losses[task] = row[0] / row[1]
            both, total = self._summed(trainer, self.voxels[task]).tolist()
            for name, overlap, size in zip(names, both, total, strict=True):
                dice[f"{task}/{name}"] = 2 * overlap / size if size else 1.0
        return losses, dice

    def _summed(self, trainer: L.Trainer, values: Tensor | None) -> Tensor:
        assert values is not None
        result = trainer.strategy.reduce(values, reduce_op="sum")
        assert isinstance(result, Tensor)
        return result
