"""Settings by task, by modality: every name in them is one of the training, or it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drifa.config import Config
from drifa.data import Study
from drifa.errors import DrifaError, suggest


def check_mappings(config: Config, study: Study) -> None:
    """Refuses a name in a mapping that the training would never look up.

    Args:
        config: The resolved configuration.
        study: What is trained on: its modalities and tasks are those that the configuration keeps.

    Raises:
        DrifaError: A setting by task or by modality names another, one that it cannot be for, or nothing at all.
    """
    for place, value in _by_task(config).items():
        for name in value:
            if name not in study.tasks:
                raise DrifaError(f"{place} names the task {name!r}, which this training has not{suggest(name, study.tasks)}")
    for place, value in _by_modality(config).items():
        for name in value:
            if name not in study.modalities:
                raise DrifaError(f"{place} names the unknown modality {name!r}{suggest(name, study.modalities)}")
            if study.modalities[name].columns:
                raise DrifaError(f"{place} is for images, and modality {name!r} is made of columns of the table; leave it out")
    if isinstance(config.model.pretrained, dict) and study.reads() == "pixels":
        raise DrifaError("model.pretrained by modality is for backbones; the encoders of a segmentation network take one file")
    _check_weights(config, study)
    for task, names in config.model.task_modalities.items():
        if not names:
            raise DrifaError(f"model.task_modalities.{task} names no modality; leave it out, or name some")
        for name in names:
            if name not in study.modalities:
                raise DrifaError(
                    f"model.task_modalities.{task} names the unknown modality {name!r}{suggest(name, study.modalities)}"
                )


def _by_task(config: Config) -> dict[str, Mapping[str, Any]]:
    return {
        "train.class_weights": _mapping(config.train.class_weights),
        "train.task_weights": config.train.task_weights,
        "model.task_modalities": config.model.task_modalities,
    }


def _by_modality(config: Config) -> dict[str, Mapping[str, Any]]:
    arguments = config.model.backbone_args
    return {
        "data.augment": config.data.augment,
        "model.backbone": _mapping(config.model.backbone),
        "model.pretrained": _mapping(config.model.pretrained),
        # Else they are the arguments of every backbone.
        "model.backbone_args": arguments if all(isinstance(value, dict) for value in arguments.values()) else {},
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    """A setting that may be one for all."""
    return value if isinstance(value, Mapping) else {}


def _check_weights(config: Config, study: Study) -> None:
    for name in _mapping(config.train.class_weights):
        kind = study.tasks[name].target.kind
        if kind != "classes":
            raise DrifaError(f"train.class_weights weighs classes, and task {name!r} is of the kind {kind}; leave it out")
    weights = config.train.task_weights
    if study.tasks and all(weights.get(name) == 0 for name in study.tasks):
        raise DrifaError(f"train.task_weights={weights} gives every task the weight 0, so that nothing is learned; raise one")
