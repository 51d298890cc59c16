"""create_segmentation_model: a segmentation network from names and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from drifa.backbones.segnet_encoder import SegNetEncoder
from drifa.errors import DrifaError, suggest
from drifa.fusion import FusionSpec, check_options, fusion_class
from drifa.names import check_name
from drifa.networks.arguments import mapping_of
from drifa.networks.coupling import make_fusion, mfa_maker
from drifa.networks.matching import settled
from drifa.networks.norm import NORMS, to_group_norm
from drifa.networks.regions import OUTPUTS, output_maps
from drifa.networks.segnet import FusionSegNet

#: What ``net.config["kind"]`` of a segmentation network is, and so what its model folder says.
SEGMENTATION = "segmentation"


def create_segmentation_model(
    fusion: str = "drifa",
    modalities: Mapping[str, int] | None = None,
    regions: Mapping[str, int] | None = None,
    *,
    width: float = 1.0,
    fusion_args: Mapping[str, Any] | None = None,
    mfa_at: str = "conv",
    mfa: bool | dict[str, Any] = True,
    mifa: bool | dict[str, Any] = True,
    reduction: int = 1,
    dropout: float = 0.25,
    indices: str = "branch",
    output: str = "regions",
    norm: str = "batch",
    pretrained: bool | str = False,
) -> FusionSegNet:
    """Builds a multimodal segmentation network; the defaults put DRIFA into SegNet (Table 3).

    Args:
        fusion: As in :func:`drifa.create_model`. ``"concat"`` is the same network without attention: plain encoders, one
            decoder, averaged logits. ``"single"`` takes one modality.
        modalities: Name -> image channels.
        regions: Task -> number of regions.
        width: Multiplies the channels 64, 128, 256, 512, 512 of the encoder and of the decoder.
        fusion_args: Options of a fusion other than DRIFA, whose options are the arguments that follow.
        mfa_at: Where MFA stands in an encoder: ``"conv"`` or ``"stage"``. ``fusion="drifa"`` only.
        mfa: ``False`` leaves MFA out, a mapping holds options of :class:`drifa.MFA`.
        mifa: ``False`` leaves MIFA out, a mapping holds options of :class:`drifa.MIFA`.
        reduction: r of all attention modules; 1 is the paper.
        dropout: p of the dropout at the end of each encoder stage.
        indices: Where the decoder unpools to: ``"branch"`` or ``"mean"``, see :class:`drifa.FusionSegNet`.
        output: ``"regions"`` (one sigmoid map per region, which may overlap) or ``"classes"`` (a softmax over background and
            nested regions as exclusive classes, the paper's cross-entropy).
        norm: ``"batch"`` (BatchNorm, as in SegNet) or ``"group"`` (GroupNorm everywhere, which keeps no statistics of the
            training subjects: take it where these are few).
        pretrained: ``True``, or the path of a weights file of ``vgg16_bn``, for every encoder; needs ``width=1``.

    Returns:
        The network, randomly initialised unless ``pretrained``. ``net.config`` holds these arguments as plain data and
        ``net.loaded`` a sentence per encoder on what the pretrained file gave.

    Raises:
        DrifaError: For anything unknown or that does not fit together.

    Examples:
        >>> import torch
        >>> net = create_segmentation_model(modalities={"flair": 1, "t1": 1}, regions={"tumour": 3}, width=1 / 16)
        >>> tuple(net({"flair": torch.rand(2, 1, 40, 33), "t1": torch.rand(2, 1, 40, 33)})["tumour"].shape)
        (2, 3, 40, 33)
        >>> tuple(net({"t1": torch.rand(2, 1, 40, 33)})["tumour"].shape)
        (2, 3, 40, 33)
    """
    modalities = mapping_of("modalities", modalities, '{"flair": 1}')
    regions = mapping_of("regions", regions, '{"tumour": 3}')
    fusion_args = mapping_of("fusion_args", fusion_args, '{"dim": 256}')
    _check(modalities, regions, output, norm)
    fusion_type = fusion_class(fusion)
    if not fusion_type.serves_decoder and len(modalities) > 1:
        raise DrifaError(
            f"fusion {fusion!r} segments from one modality, not from {', '.join(modalities)}; keep one, or take 'concat'"
        )
    check_options(fusion_type, fusion_args or {})
    shared = {
        "modalities": modalities,
        "regions": regions,
        "width": width,
        "mfa_at": mfa_at,
        "mfa": mfa,
        "mifa": mifa,
        "reduction": reduction,
        "indices": indices,
        "output": output,
        "norm": norm,
    }
    fusion_args = settled(fusion, fusion_args, mfa, partial(create_segmentation_model, **shared))  # type: ignore[arg-type]
    make_mfa = mfa_maker(fusion_type, mfa, reduction)
    branches = {name: SegNetEncoder(channels, make_mfa, mfa_at, width, pretrained) for name, channels in modalities.items()}
    infos = next(iter(branches.values())).infos
    spec = FusionSpec(
        modalities=tuple(modalities),
        channels=(tuple(info.channels for info in infos),) * len(modalities),
        ends_level=tuple(info.ends_level for info in infos),
        tasks=regions,
        task_modalities={task: tuple(modalities) for task in regions},
        for_decoder=True,
    )
    between = make_fusion(fusion_type, spec, fusion_args, mifa=mifa, reduction=reduction)
    maps = {task: output_maps(count, output) for task, count in regions.items()}
    net = FusionSegNet(branches, between, maps, dropout, indices)
    if norm == "group":
        to_group_norm(net)
    net.config = {"kind": SEGMENTATION, "fusion": fusion, "fusion_args": fusion_args, **shared, "dropout": dropout}
    net.loaded = {name: f"{name}: {branch.loaded}" for name, branch in branches.items() if branch.loaded}
    return net


def _check(modalities: dict[str, int], regions: dict[str, int], output: str, norm: str) -> None:
    if not modalities or not regions:
        raise DrifaError('create_segmentation_model needs modalities={"name": channels, …} and regions={"task": number, …}')
    for kind, what, names in (("modality", "channels", modalities), ("task", "regions", regions)):
        for name, number in names.items():
            check_name(kind, name)
            if not isinstance(number, int) or number < 1:
                raise DrifaError(f"{kind} {name!r} has {number!r} {what}; at least 1")
    for key, value, known in (("output", output, OUTPUTS), ("norm", norm, NORMS)):
        if value not in known:
            raise DrifaError(f"{key}={value!r} is not known{suggest(value, known)}")
