"""create_model: a network from names and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from drifa.attention import MFA
from drifa.backbones import Branch
from drifa.errors import DrifaError, suggest
from drifa.fusion import FusionSpec, fusion_class
from drifa.networks.fusionnet import FusionNet


def create_model(
    backbone: str = "resnet18",
    fusion: str = "drifa",
    modalities: Mapping[str, int] | None = None,
    tasks: Mapping[str, int] | None = None,
    *,
    mfa_at: str = "conv",
    mifa_at: str = "block",
    mfa: bool | dict[str, Any] = True,
    mifa: bool | dict[str, Any] = True,
    reduction: int = 1,
    dropout: float = 0.25,
    dropout_at: str = "blocks",
    pretrained: bool | str = False,
    conv_bias: bool = False,
    backbone_args: dict[str, Any] | None = None,
    task_modalities: Mapping[str, Sequence[str]] | None = None,
) -> FusionNet:
    """Builds a multimodal network; the defaults are the paper's DRIFA-Net on ResNet18.

    Args:
        backbone: Name of a sequential timm model.
        fusion: ``"drifa"``, or a control: ``"concat"`` (no MFA, no MIFA) or ``"single"`` (no coupling at all).
        modalities: Name -> image channels.
        tasks: Name -> number of classes.
        mfa_at: Where MFA stands in a branch: ``"conv"``, ``"block"`` or ``"stage"``. ``fusion="drifa"`` only.
        mifa_at: Where MIFA stands: ``"block"`` or ``"stage"``. ``fusion="drifa"`` only.
        mfa: ``False`` leaves MFA out, a mapping holds options of :class:`drifa.MFA` (Tables 4-6).
        mifa: ``False`` leaves MIFA out, a mapping holds options of :class:`drifa.MIFA` (Tables 4-6).
        reduction: r of all attention modules; 1 is the paper.
        dropout: p of every dropout.
        dropout_at: ``"blocks"`` (the paper) or ``"head"``.
        pretrained: ``True``, or the path of a weights file, for every branch.
        conv_bias: Biases in the backbone's convolutions, as in the authors' code.
        backbone_args: Further arguments of ``timm.create_model``, such as ``{"channels": [16, 32, 64, 128]}``.
        task_modalities: Task -> the modalities that can answer it; all by default. In unpaired studies a task belongs
            to the modality whose subjects carry its labels.

    Returns:
        The network, randomly initialised unless ``pretrained``. ``net.config`` holds these arguments as plain data and
        ``net.loaded`` a sentence per branch on what the pretrained file gave.

    Raises:
        DrifaError: For anything unknown or that does not fit together.
    """
    modalities, tasks = dict(modalities or {}), dict(tasks or {})
    _check_names(modalities, tasks)
    answered_by = _task_modalities(modalities, tasks, task_modalities)
    fusion_type = fusion_class(fusion)
    make_mfa = None
    if fusion_type.uses_mfa and mfa is not False:
        make_mfa = partial(_make_mfa, {"reduction": reduction, **(mfa if isinstance(mfa, dict) else {})})
    branches = {
        name: Branch(backbone, channels, make_mfa, mfa_at, conv_bias, pretrained, backbone_args)
        for name, channels in modalities.items()
    }
    infos = [branch.infos for branch in branches.values()]
    spec = FusionSpec(
        modalities=tuple(modalities),
        channels=tuple(tuple(info.channels for info in stages) for stages in infos),
        ends_level=tuple(info.ends_level for info in infos[0]),
        tasks=tasks,
        task_modalities=answered_by,
    )
    try:
        options = {"mifa_at": mifa_at, "mifa": mifa, "reduction": reduction} if fusion_type.uses_mfa else {}
        net = FusionNet(branches, fusion_type(spec, **options), dropout, dropout_at)
    except TypeError as error:
        raise DrifaError(f"mifa={mifa!r} holds an unknown option: {error}") from error
    net.config = {
        "backbone": backbone,
        "fusion": fusion,
        "modalities": modalities,
        "tasks": tasks,
        "mfa_at": mfa_at,
        "mifa_at": mifa_at,
        "mfa": mfa,
        "mifa": mifa,
        "reduction": reduction,
        "dropout": dropout,
        "dropout_at": dropout_at,
        "conv_bias": conv_bias,
        "backbone_args": dict(backbone_args or {}),
        "task_modalities": {task: list(names) for task, names in answered_by.items()},
    }
    net.loaded = {name: f"{name}: {branch.loaded}" for name, branch in branches.items() if branch.loaded}
    return net


def _make_mfa(options: dict[str, Any], channels: int) -> nn.Module:
    try:
        return MFA(channels, **options)
    except TypeError as error:
        raise DrifaError(f"mfa={options!r} holds an unknown option: {error}") from error


def _check_names(modalities: dict[str, int], tasks: dict[str, int]) -> None:
    if not modalities or not tasks:
        raise DrifaError('create_model needs modalities={"name": channels, …} and tasks={"name": classes, …}')
    for kind, names in (("modality", modalities), ("task", tasks)):
        for name, number in names.items():
            if not str(name).strip() or "." in str(name):
                raise DrifaError(f"{kind} name {name!r} must be non-empty and without dots")
            least = 1 if kind == "modality" else 2
            if not isinstance(number, int) or number < least:
                raise DrifaError(f"{kind} {name!r} has {number!r} {'channels' if least == 1 else 'classes'}; at least {least}")


def _task_modalities(
    modalities: dict[str, int], tasks: dict[str, int], given: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[str, ...]]:
    for task, names in (given or {}).items():
        if task not in tasks:
            raise DrifaError(f"task_modalities names the task {task!r}, which is not in tasks{suggest(task, tasks)}")
        for name in names:
            if name not in modalities:
                raise DrifaError(f"task_modalities[{task!r}] names the modality {name!r}{suggest(name, modalities)}")
    return {task: tuple((given or {}).get(task) or modalities) for task in tasks}
