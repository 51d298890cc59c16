"""What a training is made of: the network, its batches, what a split must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from drifa.backbones import Branch, EncoderBranch
from drifa.config import Config, ModelConfig
from drifa.data import EpochPairing, Study, Subjects
from drifa.data.cache.volume_cache import VolumeCache
from drifa.data.sampling.image_batches import ImageSource, TargetBatches, TrainBatches, answerable
from drifa.data.sampling.pairing import evaluation_samples, targets_by_component, task_components
from drifa.data.sampling.parts import InParts
from drifa.data.sampling.slice_batches import SliceSource, SplitSlices, TrainSlices
from drifa.data.tabular import fit_encoders
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError
from drifa.links import DEFAULT_LINK
from drifa.networks import FusionNet, create_model, create_segmentation_model
from drifa.networks.segnet import FusionSegNet
from drifa.tasks import Kind, SubjectKind

#: Settings of `model` that only one kind of network takes.
SEGMENTATION_ONLY = ("width", "indices", "output", "norm")
CLASSIFICATION_ONLY = (
    "backbone",
    "attach",
    "freeze",
    "backbone_args",
    "mifa_at",
    "dropout_at",
    "own_stem",
    "conv_bias",
    "task_modalities",
)


def build_network(config: Config, study: Study, kinds: Mapping[str, Kind]) -> FusionNet | FusionSegNet:
    """The network of a configuration for the modalities and tasks of a study; it can take images of the configured size.

    Args:
        config: The resolved configuration.
        study: With its split.
        kinds: From :func:`drifa.tasks.learn_kinds`.
    """
    check_images(config, study)
    if study.reads() == "pixels":
        return _segmentation_network(config, study, kinds)
    arguments = _without(SEGMENTATION_ONLY, config, "is for segmentation; this study has no masks: leave it out")
    chosen = arguments.pop("task_modalities")
    own = {task.name: list(task.modalities) for task in study.tasks.values()}
    if not own:
        raise DrifaError(f"study {study.name!r} has no task for the modalities {', '.join(study.modalities)}")
    encoders = fit_encoders(study)
    net = create_model(
        modalities={
            name: encoders[name].width if name in encoders else modality.channels for name, modality in study.modalities.items()
        },
        tabular=list(encoders),
        tasks={name: kind.outputs for name, kind in kinds.items()},
        task_modalities={**own, **chosen},
        links={name: kind.link for name, kind in kinds.items() if isinstance(kind, SubjectKind) and kind.link != DEFAULT_LINK},
        **arguments,
    )
    for name, branch in net.branches.items():
        if isinstance(branch, Branch | EncoderBranch):
            branch.check_size(config.data.image_size, config.data.image_size, name)
    _check_pretrained(config, net)
    return net


def check_images(config: Config, study: Study) -> None:
    """Refuses a size and an augmentation that the images of a study cannot have.

    Args:
        config: The resolved configuration.
        study: Any study.
    """
    if study.reads() == "pixels":
        if config.data.augment:
            raise DrifaError("data.augment is for images; the volumes of a subject move together: set data.flip and the others")
    elif not config.data.image_size:
        raise DrifaError("data.image_size=0, slices as they are, is for segmentation; give a side in pixels, such as 128")
    coloured = [name for name, modality in study.modalities.items() if modality.channels == 3 and not modality.columns]
    if config.data.hue and not coloured:
        raise DrifaError(f"data.hue={config.data.hue} is for images in colour, and study {study.name!r} has none; leave it out")
    for name, own in config.data.augment.items():
        if own.hue and name not in coloured:
            raise DrifaError(
                f"data.augment.{name}.hue={own.hue} is for images in colour, and modality {name!r} has none; leave it out"
            )


def _check_pretrained(config: Config, net: FusionNet | FusionSegNet) -> None:
    """Refuses settings of pretrained parts where nothing is pretrained."""
    for key, neutral in (("trunk_lr", 1), ("freeze_epochs", 0)):
        if getattr(config.train, key) != neutral and not net.loaded:
            raise DrifaError(
                f"train.{key}={getattr(config.train, key)} is for pretrained parts, and this network has none; leave it out, "
                f"or give model.pretrained"
            )
        if getattr(config.train, key) != neutral and config.model.freeze:
            raise DrifaError(
                f"train.{key}={getattr(config.train, key)} is for pretrained parts that learn, and model.freeze=true keeps "
                f"them as they are; leave one of them out"
            )


def _without(keys: tuple[str, ...], config: Config, reason: str) -> dict[str, Any]:
    """The settings of `model` without some that do not apply, and that must have been left alone."""
    arguments, defaults = config.model.model_dump(), ModelConfig().model_dump()
    for key in keys:
        if arguments.pop(key) != defaults[key]:
            raise DrifaError(f"model.{key} {reason}")
    return arguments


def _segmentation_network(config: Config, study: Study, kinds: Mapping[str, Kind]) -> FusionSegNet:
    arguments = _without(CLASSIFICATION_ONLY, config, "is for classification; a segmentation network is a SegNet: leave it out")
    if config.train.sampling != "natural":
        raise DrifaError(f"train.sampling={config.train.sampling} is for tasks of subjects; slices are drawn by what they show")
    if config.evaluate.tta:
        raise DrifaError(
            f"evaluate.tta={config.evaluate.tta} is for images; the slices of a volume are seen as they are: leave it out"
        )
    if config.train.mixup:
        raise DrifaError(
            f"train.mixup={config.train.mixup} is for tasks of subjects; blended slices have no regions to draw: leave it out"
        )
    for name, modality in study.modalities.items():
        if modality.columns:
            raise DrifaError(
                f"modality {name!r} is a tabular one, and a segmentation network reads slices alone: leave it out of "
                f"data.tabular, or choose others with data.modalities"
            )
    net = create_segmentation_model(
        modalities={name: modality.channels for name, modality in study.modalities.items()},
        regions={name: kind.outputs for name, kind in kinds.items()},
        **arguments,
    )
    _check_pretrained(config, net)
    return net


def make_loaders(
    config: Config, study: Study, source: ImageSource | VolumeCache, module: Any, seed: int, rank: int = 0, world: int = 1
) -> tuple[Iterable[Any], Iterable[Any]]:
    """Training batches and validation batches."""
    training: TrainSlices | TrainBatches
    validation: SplitSlices | TargetBatches
    if isinstance(source, VolumeCache):
        slices, recipe = SliceSource(study, source), config.train
        training = TrainSlices(
            slices, lambda: module.current_epoch, recipe.batch_size, seed, recipe.modality_dropout, rank, world
        )
        validation = SplitSlices(slices, "val", recipe.batch_size, rank, world)
    else:
        training, validation = _image_loaders(config, study.subjects(), source, module, seed, rank, world)
    parts = config.train.accumulate
    return (InParts(training, parts) if parts > 1 else training), validation


def _image_loaders(
    config: Config, subjects: Subjects, source: ImageSource, module: Any, seed: int, rank: int, world: int
) -> tuple[TrainBatches, TargetBatches]:
    """Training batches (partners drawn anew each epoch) and validation batches (every target once, one fixed partner)."""
    answers = answerable(module.net.config["task_modalities"], subjects)
    pairing = EpochPairing(subjects, subjects.in_split("train"), seed, balanced=config.train.sampling == "balanced")
    training = TrainBatches(
        source,
        subjects,
        pairing.epoch,
        lambda: module.current_epoch,
        config.train.batch_size,
        seed,
        answers,
        config.train.modality_dropout,
        rank,
        world,
    )
    parts = []
    owners = np.array(task_components(subjects))
    for number, targets in targets_by_component(subjects, subjects.in_split("val")).items():
        samples = evaluation_samples(subjects, targets, number, 1, subjects.in_split("train"), seed=config.evaluate.seed)
        parts.append((samples[rank::world, 0], owners == number))
    return training, TargetBatches(source, subjects, parts, config.train.batch_size)


def check_training_split(study: Study, tested: bool = True) -> None:
    """Refuses a split that lacks something that training needs.

    Args:
        study: A study with a split.
        tested: Whether a test was asked for: where the data are tested elsewhere, nobody is kept for one.
    """
    study.reads()  # refuses tasks of two kinds, before their split is blamed
    subjects = study.subjects()
    for name in ("train", "val", "test") if tested else ("train", "val"):
        if not len(subjects.in_split(name)):
            remedy = "it needs more groups, other fractions, or another protocol (`drifa data split`)"
            raise DrifaError(f"the {name} split of study {study.name!r} is empty; {remedy}")
    for name, task in study.tasks.items():
        for part in ("train", "val"):
            chosen = subjects.in_split(part)
            values, known = subjects.targets[name][chosen], subjects.known_of(name)[chosen]
            task.target.check_training(name, study.name, part, values, known)


def common_shares(study: Study, split: str) -> dict[str, float]:
    """Task of classes -> the share of its most common class among the known subjects of a split."""
    subjects = study.subjects()
    chosen = subjects.in_split(split)
    found = {}
    for name, task in study.tasks.items():
        values, known = subjects.targets[name][chosen], subjects.known_of(name)[chosen]
        if isinstance(task.target, ClassTarget) and known.any():
            found[name] = float(max(has.sum() for has in task.target.counted(values, known).values()) / known.sum())
    return found
