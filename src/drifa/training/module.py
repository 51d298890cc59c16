"""The Lightning module: one network, tasks of any kinds, the multitask loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drifa.config import AugmentConfig, Config, DataConfig
from drifa.data.sampling.augment import augment, augment_together, flip, hue, jitter, turn
from drifa.data.sampling.batch import Batch
from drifa.data.sampling.mixup import mixup
from drifa.data.targets import Reads
from drifa.networks.inputs import standardise, to_float
from drifa.tasks import Kind, SubjectKind
from drifa.training.compiled import compile_blocks, compiles
from drifa.training.losses import multitask_loss, task_weights
from drifa.training.recipe import Recipe

#: Modality -> mean and standard deviation per channel.
Normalisation = Mapping[str, tuple[Any, Any]]


class MultitaskModule(Recipe):
    """Trains a network on the tasks that it answers; see :class:`~drifa.training.recipe.Recipe`.

    Args:
        net: A :class:`~drifa.FusionNet` or a :class:`~drifa.FusionSegNet`.
        config: The resolved configuration.
        seed: Of this member.
        folder: The member's folder.
        kinds: Task -> its kind; all of them read alike.
        floors: As in :class:`~drifa.training.recipe.Recipe`.
    """

    net: Any

    def __init__(
        self,
        net: Any,
        config: Config,
        seed: int,
        folder: Path,
        kinds: Mapping[str, Kind],
        floors: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(net, config, seed, folder, floors)
        self.kinds = kinds
        self.weights = task_weights(kinds, config.train.task_weights)
        self.augment = AUGMENTS[next(iter(kinds.values())).reads]

    def on_fit_start(self) -> None:
        super().on_fit_start()
        size = self.config.data.image_size or 64  # slices as they are have many sizes, of which any will do
        if compiles(self.config.train, self.device):
            compile_blocks(self.net, (size, size))

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.train_sums: dict[str, Tensor] = {}
        self.val_sums: dict[str, Tensor] = {}

    def training_step(self, batch: Batch, index: int) -> Tensor:
        generator = torch.Generator().manual_seed(batch.seed)  # on the CPU: equal on every device
        batch = self.augment(batch, generator, self.config.data, self.net.normalisation)
        share = None
        if self.config.train.mixup:
            batch, share = mixup(batch, generator, self.config.train.mixup)
        outputs, auxiliary = self.net.training_logits(batch.images, batch.present)
        combine, weights = self.net.fusion.combine, self.weights
        if batch.counts:
            weights = {task: weights[task] * count for task, count in zip(self.kinds, batch.counts, strict=True)}
        loss, parts = multitask_loss(self.kinds, outputs, batch.targets, batch.known, weights, combine, share)
        loss = loss + sum(auxiliary.values())
        self.log("loss", loss.detach(), prog_bar=True)
        for name, part in {**parts, **auxiliary}.items():
            self.log(f"loss/{name}", part.detach(), prog_bar=True)
        self._add(self.train_sums, {task: values[0] for task, values in outputs.items()}, batch, parts, share)
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        images = self.net.to_input(batch.images)
        with self.gate_sums.watching(self.judged, images, batch.present):
            outputs = self.judged(images, batch.present)
        self._add(self.val_sums, outputs, batch, {})

    def epoch_figures(self) -> dict[str, float]:
        found = {"train": self._figures(self.train_sums), "val": self._figures(self.val_sums)}
        row: dict[str, float] = {}
        for split, tasks in found.items():
            row[f"{split}_loss"] = sum(self.weights[task] * figures["loss"] for task, figures in tasks.items())
        for split, tasks in found.items():
            for task, figures in tasks.items():
                for name, value in figures.items():
                    figure, slash, part = name.partition("/")
                    row[f"{split}_{figure}/{task}{slash}{part}"] = value
        return row

    def _add(
        self,
        sums: dict[str, Tensor],
        outputs: Mapping[str, Tensor],
        batch: Batch,
        losses: Mapping[str, Tensor],
        share: Tensor | None = None,
    ) -> None:
        """Adds a batch to the sums of an epoch, which stay on the device until it ends; both truths of a mixed row by share."""
        for column, (task, kind) in enumerate(self.kinds.items()):
            value, truth, known = outputs[task], batch.targets[task], batch.known[:, column]
            if share is None:
                added = kind.sums(value, truth, known, losses.get(task))
            else:
                assert isinstance(kind, SubjectKind), "other kinds are refused before they are trained"
                added = kind.sums(torch.cat([value, value]), truth, known, share=share)
            sums[task] = sums[task] + added if task in sums else added

    def _figures(self, sums: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        """Task -> figures over all processes; tasks of which nothing was known are left out."""
        found = {}
        for task, kind in self.kinds.items():
            # A process may have no validation batch, and always has one of training.
            own = sums[task] if task in sums else torch.zeros_like(self.train_sums[task])
            total = self.trainer.strategy.reduce(own, reduce_op="sum")
            assert isinstance(total, Tensor)
            figures = kind.figures(total)
            if figures:
                found[task] = figures
        return found


def augment_images(batch: Batch, generator: torch.Generator, data: DataConfig, normalisation: Normalisation) -> Batch:
    """Every modality turned and shifted on its own; features of a tabular modality, and maps, stay as they are."""
    images = {**batch.images}
    for name, image in batch.images.items():
        centre = normalisation.get(name, (0.5, 0.5))
        if isinstance(image, Tensor) and not image.is_floating_point():
            images[name] = _augmented(image, generator, data.augmentation(name), centre)
    return replace(batch, images=images)


def _augmented(images: Tensor, generator: torch.Generator, how: AugmentConfig, centre: tuple[Any, Any]) -> Tensor:
    """Bytes -> augmented, standardised floats."""
    images = flip(images, generator, how.flip or 0)
    images = flip(images, generator, how.flip_vertical or 0, dim=-2)
    images = turn(images, generator) if how.quarter_turns else images
    images = augment(to_float(images), generator, how.degrees or 0, how.shift or 0)
    images = hue(images, generator, how.hue or 0)
    return jitter(standardise(images, *centre), generator, how.intensity or 0)


def augment_slices(batch: Batch, generator: torch.Generator, data: DataConfig, normalisation: Normalisation) -> Batch:
    """All modalities and the regions of a slice turned and shifted together."""
    images, regions = augment_together(
        batch.tensors, batch.targets, generator, data.degrees, data.shift, data.flip, data.flip_vertical, data.quarter_turns
    )
    images = {name: jitter(image, generator, data.intensity) for name, image in images.items()}
    return replace(batch, images=images, targets=regions)


#: What a network looks at -> how its batches are augmented.
AUGMENTS: dict[Reads, Callable[[Batch, torch.Generator, DataConfig, Normalisation], Batch]] = {
    "subject": augment_images,
    "pixels": augment_slices,
}
