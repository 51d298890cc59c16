"""create_model: a network from names and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from drifa.backbones import Branch, EncoderBranch, align
from drifa.backbones.tabular import TabularBranch
from drifa.errors import DrifaError, suggest
from drifa.fusion import Fusion, FusionSpec, check_options, fusion_class
from drifa.links import DEFAULT_LINK, LINKS
from drifa.names import check_name
from drifa.networks.arguments import mapping_of
from drifa.networks.coupling import coupled_stages, make_fusion, mfa_maker
from drifa.networks.fusionnet import FusionNet
from drifa.networks.matching import settled

#: How MFA and MIFA meet a backbone: between the stages that it is cut into, or on the maps that it gives.
ATTACH = ("stages", "intermediates")


def create_model(
    backbone: str | Mapping[str, str] = "resnet18",
    fusion: str = "drifa",
    modalities: Mapping[str, int] | None = None,
    tasks: Mapping[str, int] | None = None,
    *,
    attach: str = "stages",
    fusion_args: Mapping[str, Any] | None = None,
    mfa_at: str = "conv",
    mifa_at: str | Sequence[str | int] = "block",
    mfa: bool | dict[str, Any] = True,
    mifa: bool | dict[str, Any] = True,
    reduction: int = 1,
    dropout: float = 0.25,
    dropout_at: str = "blocks",
    pretrained: bool | str | Mapping[str, bool | str] = False,
    freeze: bool = False,
    conv_bias: bool = False,
    backbone_args: Mapping[str, Any] | None = None,
    own_stem: bool = False,
    tabular: Sequence[str] = (),
    task_modalities: Mapping[str, Sequence[str]] | None = None,
    links: Mapping[str, str] | None = None,
    normalisation: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
) -> FusionNet:
    """Builds a multimodal network; the defaults are the paper's DRIFA-Net on ResNet18.

    Args:
        backbone: Name of a timm model, or a mapping modality -> name. Stages of different backbones are aligned by
            resolution level (:func:`drifa.backbones.align`).
        fusion: ``"drifa"``, a control (``"concat"``, ``"single"``, ``"se_matched"``), a rival (``"gloria"``,
            ``"mttu_net"``, ``"caf"``, ``"mtf_ma"``) or ``"drifa_plus"``; see :data:`drifa.fusion.FUSIONS`.
        modalities: Name -> image channels.
        tasks: Name -> number of outputs: of a task of classes, how many it has.
        attach: ``"stages"`` (the backbone, which must be sequential, is cut into stages) or ``"intermediates"`` (any encoder
            of timm runs whole, and the maps that it gives on its way are the stages, see
            :class:`drifa.backbones.EncoderBranch`).
        fusion_args: Options of a fusion other than DRIFA, whose options are the arguments that follow.
        mfa_at: Where MFA stands in a branch: ``"conv"``, ``"block"`` or ``"stage"``. ``fusion="drifa"`` only. With
            ``attach="intermediates"`` it stands on every map, whatever is said here.
        mifa_at: Where MIFA stands: ``"block"``, ``"stage"``, or a list of stages by name or number.
            ``fusion="drifa"`` only.
        mfa: ``False`` leaves MFA out, a mapping holds options of :class:`drifa.MFA` (Tables 4-6).
        mifa: ``False`` leaves MIFA out, a mapping holds options of :class:`drifa.MIFA` (Tables 4-6).
        reduction: r of all attention modules; 1 is the paper.
        dropout: p of every dropout.
        dropout_at: ``"blocks"`` (the paper), ``"head"``, or ``"mifa"`` (before each MIFA but the last, and the head).
        pretrained: ``True``, or the path of a weights file, for every branch; or a mapping modality -> either.
        freeze: Pretrained backbones stay as they are, weights and statistics; attention, fusion and heads learn.
        conv_bias: Biases in the backbone's convolutions, as in the authors' code.
        backbone_args: Further arguments of ``timm.create_model``, such as ``{"channels": [16, 32, 64, 128]}``; or a mapping
            modality -> such arguments. With ``attach="intermediates"``, ``out_indices`` chooses the maps.
        own_stem: Make the stem a stage of its own, named ``"stem"``, instead of a part of the first block's.
        tabular: The modalities that are vectors of features ``[B, F, 1, 1]`` and no images; ``modalities`` says F.
        task_modalities: Task -> the modalities that can answer it; all by default. In unpaired studies a task belongs
            to the modality whose subjects carry its labels.
        links: Task -> what its outputs mean, a key of :data:`drifa.links.LINKS`: ``"softmax"`` (classes, the default),
            ``"identity"`` (one value) or ``"gaussian"`` (the mean and log-variance of a value).
        normalisation: Modality -> mean and standard deviation per channel that images in [0, 1] are standardised by; by
            default those that pretrained weights know, and 0.5 and 0.5 for the rest.

    Returns:
        The network, randomly initialised unless ``pretrained``. ``net.config`` holds these arguments as plain data and
        ``net.loaded`` a sentence per branch on what the pretrained file gave.

    Raises:
        DrifaError: For anything unknown or that does not fit together.

    Examples:
        >>> import torch
        >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
        >>> net = create_model(modalities={"photo": 3, "scan": 1}, tasks={"lesion": 7, "stage": 4}, backbone_args=tiny)
        >>> answers = net({"photo": torch.rand(2, 3, 32, 32), "scan": torch.rand(2, 1, 48, 48)})
        >>> {task: tuple(logits.shape) for task, logits in answers.items()}
        {'lesion': (2, 7), 'stage': (2, 4)}
        >>> tuple(net({"scan": torch.rand(2, 1, 48, 48)})["stage"].shape)
        (2, 4)
    """
    modalities = mapping_of("modalities", modalities, '{"photo": 3}')
    tasks = mapping_of("tasks", tasks, '{"lesion": 7}')
    backbone = backbone if isinstance(backbone, str) else mapping_of("backbone", backbone, '{"photo": "resnet18"}')
    fusion_args = mapping_of("fusion_args", fusion_args, '{"dim": 256}')
    backbone_args = mapping_of("backbone_args", backbone_args, '{"channels": [16, 32, 64, 128]}')
    task_modalities = mapping_of("task_modalities", task_modalities, '{"lesion": ["photo"]}')
    links = mapping_of("links", links, '{"age": "identity"}')
    links = _links(tasks, links)
    _check_names(modalities, tasks, links)
    answered_by = _task_modalities(modalities, tasks, task_modalities)
    _check_attach(attach, conv_bias, own_stem)
    for key, given in (("mfa", mfa), ("mifa", mifa)):
        if not isinstance(given, bool | dict):
            raise DrifaError(f"{key}={given!r} is neither True nor False, nor a dict of its options")
    fusion_type = fusion_class(fusion)
    check_options(fusion_type, fusion_args or {})
    config: dict[str, Any] = {
        "backbone": backbone if isinstance(backbone, str) else dict(backbone),
        "attach": attach,
        "fusion": fusion,
        "modalities": modalities,
        "tasks": tasks,
        "fusion_args": dict(fusion_args or {}),
        "mfa_at": mfa_at,
        "mifa_at": list(mifa_at) if isinstance(mifa_at, Sequence) and not isinstance(mifa_at, str) else mifa_at,
        "mfa": mfa,
        "mifa": mifa,
        "reduction": reduction,
        "dropout": dropout,
        "dropout_at": dropout_at,
        "conv_bias": conv_bias,
        "backbone_args": dict(backbone_args or {}),
        "own_stem": own_stem,
        "tabular": list(tabular),
        "task_modalities": {task: list(names) for task, names in answered_by.items()},
    }
    if set(links.values()) != {DEFAULT_LINK}:  # the folders of networks of classes alone stay what they were
        config["links"] = links
    fusion_args = config["fusion_args"] = settled(fusion, config["fusion_args"], mfa, partial(create_model, **config))
    make_mfa = mfa_maker(fusion_type, mfa, reduction)
    pictures = _pictures(modalities, tabular, fusion_type)
    names = _each(backbone, pictures, "backbone")
    sources = _each(pretrained, pictures, "pretrained", False)
    for name, source in sources.items() if freeze else ():
        if not source:
            raise DrifaError(f"freeze keeps the backbone of {name!r} as it is, and it is random; give its weights: pretrained=")
    by_modality = bool(backbone_args) and all(isinstance(value, Mapping) for value in (backbone_args or {}).values())
    arguments = _each(backbone_args, pictures, "backbone_args", {}) if by_modality else dict.fromkeys(pictures, backbone_args)
    seeing: dict[str, Branch | EncoderBranch]
    if attach == "stages":
        cut = {
            name: Branch(
                names[name],
                channels,
                make_mfa,
                mfa_at,
                conv_bias,
                sources[name],
                dict(arguments[name] or {}),
                own_stem=own_stem,
                whole=freeze,
            )
            for name, channels in pictures.items()
        }
        align(list(cut.values()))
        seeing = {**cut}
    else:
        whole = {
            name: EncoderBranch(names[name], channels, make_mfa, sources[name], dict(arguments[name] or {}), freeze)
            for name, channels in pictures.items()
        }
        for branch in whole.values():
            branch.keep_last(min(len(other.infos) for other in whole.values()))
        seeing = {**whole}
    stages = next(iter(seeing.values())).infos
    branches = {name: seeing[name] if name in seeing else TabularBranch(modalities[name], stages) for name in modalities}
    infos = [branch.infos for branch in branches.values()]
    spec = FusionSpec(
        modalities=tuple(modalities),
        channels=tuple(tuple(info.channels for info in stages) for stages in infos),
        ends_level=tuple(info.ends_level for info in infos[0]),
        tasks=tasks,
        task_modalities=answered_by,
        links=links,
    )
    coupled = coupled_stages(mifa_at, [[info.name for info in stages] for stages in infos], spec.ends_level)
    between = make_fusion(fusion_type, spec, fusion_args, mifa_at=coupled, mifa=mifa, reduction=reduction)
    net = FusionNet(branches, between, dropout, "head" if dropout_at == "mifa" else dropout_at)
    if dropout_at == "mifa":
        net.drop_stages = coupled[:-1]
    net.normalisation = _normalisation(seeing) if normalisation is None else _checked_normalisation(normalisation, pictures)
    if net.normalisation:
        config["normalisation"] = {name: [list(mean), list(std)] for name, (mean, std) in net.normalisation.items()}
    net.config = config
    net.loaded = {name: f"{name}: {branch.loaded}" for name, branch in branches.items() if branch.loaded}
    if freeze:
        net.freeze()
    return net


def _check_attach(attach: str, conv_bias: bool, own_stem: bool) -> None:
    if attach not in ATTACH:
        raise DrifaError(f"attach={attach!r} is not known{suggest(attach, ATTACH)}")
    for key, given in (("conv_bias", conv_bias), ("own_stem", own_stem)):
        if given and attach == "intermediates":
            raise DrifaError(
                f"{key} changes the inside of a backbone, and attach='intermediates' leaves it as it is: leave it out"
            )


def _normalisation(branches: Mapping[str, Branch | EncoderBranch]) -> dict[str, tuple[list[float], list[float]]]:
    """That of the branches whose weights want another than the 0.5 and 0.5 of all others."""
    found = {name: branch.normalisation for name, branch in branches.items() if branch.normalisation is not None}
    return {name: value for name, value in found.items() if {*value[0], *value[1]} != {0.5}}


def _checked_normalisation(given: Any, pictures: Mapping[str, int]) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """Refuses what is no mean and deviation, above 0, for every channel of a modality of images."""
    given = mapping_of("normalisation", given, '{"photo": ([0.5, 0.5, 0.5], [0.2, 0.2, 0.2])}')
    for name, pair in given.items():
        if name not in pictures:
            raise DrifaError(f"normalisation names {name!r}, which is no modality of images{suggest(name, pictures)}")
        try:
            mean, std = ([float(value) for value in part] for part in pair)
        except (TypeError, ValueError):
            mean, std = [], []
        if (
            {len(mean), len(std)} != {pictures[name]}
            or not all(map(math.isfinite, mean))
            or not all(0 < x < math.inf for x in std)
        ):
            raise DrifaError(
                f"normalisation[{name!r}]={pair!r} must be ([mean, …], [deviation, …]) of {pictures[name]} channels, "
                f"deviations above 0"
            )
    return given


def _pictures(modalities: dict[str, int], tabular: Sequence[str], fusion: type[Fusion]) -> dict[str, int]:
    """The modalities that are images."""
    if isinstance(tabular, str):
        raise DrifaError(f"tabular={tabular!r} is a text; write a list: [{tabular!r}]")
    for name in tabular:
        if name not in modalities:
            raise DrifaError(f"tabular names the modality {name!r}, which is not in modalities{suggest(name, modalities)}")
    if tabular and not fusion.takes_tabular:
        raise DrifaError(
            f"fusion {fusion.name!r} reads maps of one size and cannot take the tabular modality {tabular[0]!r}; leave it out, "
            f"or use drifa, concat, single or se_matched"
        )
    pictures = {name: channels for name, channels in modalities.items() if name not in tabular}
    if not pictures:
        raise DrifaError("all modalities are tabular; at least one must be an image")
    return pictures


def _each(value: Any, modalities: Mapping[str, Any], place: str, default: Any = None) -> dict[str, Any]:
    """A setting for every modality, from one for all of them or a mapping by name."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(modalities, value)
    for name in value:
        if name not in modalities:
            raise DrifaError(f"{place} names the modality {name!r}, which is not in modalities{suggest(name, modalities)}")
    for name in modalities:
        if name not in value and default is None:
            raise DrifaError(f"{place}={dict(value)!r} says nothing about the modality {name!r}; each modality needs one")
    return {name: value.get(name, default) for name in modalities}


def _check_names(modalities: dict[str, int], tasks: dict[str, int], links: Mapping[str, str]) -> None:
    if not modalities or not tasks:
        raise DrifaError('create_model needs modalities={"name": channels, …} and tasks={"name": outputs, …}')
    for name, channels in modalities.items():
        check_name("modality", name)
        if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
            raise DrifaError(f"modality {name!r} has {channels!r} channels; at least 1")
    for name, outputs in tasks.items():
        check_name("task", name)
        LINKS[links[name]].check(name, outputs)


def _links(tasks: Mapping[str, int], given: Mapping[str, str] | None) -> dict[str, str]:
    """The link of every task."""
    for task, link in (given or {}).items():
        if task not in tasks:
            raise DrifaError(f"links names the task {task!r}, which is not in tasks{suggest(task, tasks)}")
        if link not in LINKS:
            raise DrifaError(f"links[{task!r}]={link!r} is not known{suggest(link, LINKS)}")
    return {task: (given or {}).get(task, DEFAULT_LINK) for task in tasks}


def _task_modalities(
    modalities: dict[str, int], tasks: dict[str, int], given: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[str, ...]]:
    for task, names in (given or {}).items():
        if isinstance(names, str):
            raise DrifaError(f"task_modalities[{task!r}]={names!r} is a text; write a list: [{names!r}]")
        if task not in tasks:
            raise DrifaError(f"task_modalities names the task {task!r}, which is not in tasks{suggest(task, tasks)}")
        for name in names:
            if name not in modalities:
                raise DrifaError(f"task_modalities[{task!r}] names the modality {name!r}{suggest(name, modalities)}")
    return {task: tuple((given or {}).get(task) or modalities) for task in tasks}
