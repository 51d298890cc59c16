"""Any sequential timm network, cut into an ordered list of stages.

timm's ``features_only`` networks are an ordered list of modules. Here that list is cut at *block* granularity: a stage is
one residual (inception, inverted residual, transformer, …) block; everything before the first block, the stem, belongs to
the first stage. ResNet18 gives the paper's eight stages: stem + block 1, block 2, …, block 8. Every stage reads and gives
``[B, C, H, W]``, whatever layout the network keeps inside.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torch
from timm.models._features import FeatureDictNet
from torch import Tensor, nn

from drifa.backbones.chains import chain, holds_list, is_list
from drifa.backbones.families import listed
from drifa.backbones.layouts import bordered, layout_of
from drifa.backbones.precision import full_precision
from drifa.errors import DrifaError, near, short
from drifa.yaml_text import MOST, MOST_LISTED, is_plain

# Networks whose timm feature class is not a FeatureListNet but still runs its children in order.
_SEQUENTIAL_CLASSES = ("EfficientNetFeatures", "MobileNetV3Features")
# Parts that come before a block and belong to it, however many layers they hold.
_BEFORE_BLOCKS = ("stem", "patch_embed", "downsample", "pos_emb")
#: What networks raise that cannot be built, or not be run.
FAILURES = (
    *(RuntimeError, TypeError, AttributeError, AssertionError, ValueError, LookupError, ArithmeticError, MemoryError),
    *(NotImplementedError, ImportError),
)
# Sizes of the blank image, pixels, that shows what the stages give.
_BLANK = (64, 128, 192)


#: What timm takes beside the arguments of a network: where its weights come of, files and connections among them, what is
#: compiled, and what is settled here. A network's description may come from anybody, and describes the network alone.
NOT_OF_NETWORKS = frozenset(
    """
    model_name variant model_cls model_cfg pretrained pretrained_cfg pretrained_cfg_overlay pretrained_strict
    pretrained_filter_fn pretrained_model_args checkpoint_path cache_dir kwargs_filter scriptable exportable no_jit pruned
    features_only feature_cfg feature_cls in_chans num_classes device dtype
    """.split()  # noqa: SIM905 - thirty quoted words read worse
)


@dataclass(frozen=True)
class StageInfo:
    """What one stage gives: its name in timm, output channels, total stride, and whether a resolution level ends here."""

    name: str
    channels: int
    reduction: int
    ends_level: bool


def timm_features(backbone: str, in_channels: int, arguments: dict[str, Any] | None = None) -> nn.Module:
    """The timm feature network of that name, randomly initialised.

    Raises:
        DrifaError: For an unknown name (near names are listed) or arguments that the network does not take.
    """
    check_backbone(backbone)
    check_arguments(backbone, arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            features = timm.create_model(backbone, features_only=True, in_chans=in_channels, **(arguments or {}))
            if _sequential(features) or type(features).__name__ == "HighResolutionNetFeatures":
                return features
            # timm only looks into these networks; their parts are those of the plain model.
            return timm.create_model(backbone, num_classes=0, in_chans=in_channels, **(arguments or {}))
    except FAILURES as error:
        raise unbuildable(backbone, arguments, error) from error


def check_backbone(backbone: str) -> None:
    """Refuses a name that timm does not know; near names are listed."""
    names = timm.list_models()
    if not isinstance(backbone, str) or backbone.split(".")[0] not in names:
        # of `timm/resnet18.a1_in1k` the name itself, without where it lies and what it was trained on
        found = near(str(backbone)[:100].lower().rpartition("/")[2].partition(".")[0], names)
        known = f"near names: {', '.join(found)}" if found else f"these can be used: {listed()}"
        raise DrifaError(f"backbone {short(backbone)} is not a timm model ({known})")


def check_arguments(backbone: str, arguments: Mapping[str, Any] | None) -> None:
    """Refuses arguments of ``timm.create_model`` that do not describe a network, or one that fills any memory.

    Args:
        backbone: Its name, for errors.
        arguments: From whoever describes it.

    Raises:
        DrifaError: An argument of :data:`NOT_OF_NETWORKS`, one that is no plain data, or one that is too large.
    """
    for name, value in (arguments or {}).items():
        if name in NOT_OF_NETWORKS:
            raise DrifaError(
                f"backbone_args: {name!r} does not describe the network {backbone!r} itself; leave it out, and give weights as "
                f"pretrained=PATH"
            )
        if not is_plain(value):
            raise DrifaError(
                f"backbone_args: {short(name)}={short(value)} of {backbone!r} is no plain value: a text, a switch, a number "
                f"from -{MOST} to {MOST}, or a list of up to {MOST_LISTED} of them"
            )


def unbuildable(backbone: str, arguments: dict[str, Any] | None, error: Exception) -> DrifaError:
    """What is said of a network that timm does not build."""
    given = f"with backbone_args={short(arguments)}" if arguments else "with its defaults"
    remedy = "; leave out of backbone_args what it does not take" if arguments else ""
    return DrifaError(f"backbone {backbone!r} cannot be built as a feature network {given}: {short(error)}{remedy}")


def native_size(backbone: str, arguments: dict[str, Any] | None = None) -> int | None:
    """The image size, pixels, of a network that is built for one size; ``None`` where any will do."""
    settings = timm.get_pretrained_cfg(backbone)
    if settings is None or not (settings.fixed_input_size or "img_size" in (arguments or {})):
        return None
    size = (arguments or {}).get("img_size", settings.input_size[-1])
    return int(size if isinstance(size, int) else max(size))


def cut(
    features: nn.Module, backbone: str, in_channels: int, *, own_stem: bool = False, native: int | None = None
) -> tuple[list[nn.Sequential], list[StageInfo]]:
    """Cuts a timm feature network into stages.

    Args:
        features: What :func:`timm_features` returned.
        backbone: Its name, for error messages.
        in_channels: Channels of the input images.
        own_stem: Make the stem a stage of its own, named ``"stem"``, instead of a part of the first one.
        native: What :func:`native_size` returned.

    Returns:
        The stages, to be run one after the other, and what each of them gives.

    Raises:
        DrifaError: If the network does not run its modules in sequence.
    """
    units = _opened(_parts(features, backbone))
    blocks = [k for k, (name, module) in enumerate(units) if _is_block(name, module)]
    if blocks:  # a block takes the single layers in front of it along, and the last one those behind it
        last = [*blocks[:-1], len(units) - 1]
        if own_stem and blocks[0] > 0:
            last.insert(0, blocks[0] - 1)
    else:  # plain stacks such as VGG: cut where timm names a level
        named = [str(level["module"]) for level in features.feature_info]  # type: ignore[union-attr]
        inside = [[k for k, (unit, _) in enumerate(units) if _within(unit, level)] for level in named]
        last = [*sorted({found[-1] for found in inside if found} - {len(units) - 1}), len(units) - 1]
    if own_stem and not (blocks and blocks[0] > 0):
        raise DrifaError(f"backbone {backbone!r} has no stem before its first block; leave own_stem out")
    stages, begin = [], 0
    for end in last:
        stages.append(nn.Sequential(*[module for _, module in units[begin : end + 1]]).train(features.training))
        begin = end + 1
    names = ["stem" if own_stem and k == 0 else units[end][0] for k, end in enumerate(last)]
    declared = str(getattr(features, "output_fmt", None) or "NCHW").split(".")[-1]
    outputs, size = _blank_run(stages, in_channels, native, backbone)
    stages = bordered(stages, [layout_of(x, declared) for x in outputs])
    return stages, _measure(stages, names, in_channels, size, native is not None)


def _sequential(features: nn.Module) -> bool:
    return isinstance(features, FeatureDictNet) or type(features).__name__ in _SEQUENTIAL_CLASSES


def _parts(features: nn.Module, backbone: str) -> list[tuple[str, nn.Module]]:
    if _sequential(features):
        return list(features.named_children())
    parts = chain(features, "forward_features") if hasattr(features, "forward_features") else None
    if parts is None:
        raise DrifaError(
            f"backbone {backbone!r} cannot be cut into stages: it does not run its parts one after the other on one map "
            f"(parallel resolutions, or class tokens and position tables beside the map). Take it whole with "
            f"attach='intermediates'; these can be cut: {listed()}"
        )
    return parts


def _opened(parts: list[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """The parts with lists, and levels that are proven chains of blocks, replaced by what they run."""
    units: list[tuple[str, nn.Module]] = []
    for name, module in parts:
        inner = None
        if not is_list(module) and holds_list(module) and not name.startswith(_BEFORE_BLOCKS):
            inner = chain(module)
        for child_name, child in [(f"{name}.{key}", part) for key, part in inner] if inner else [(name, module)]:
            units.extend(_flat(child_name, child))
    return units


def _flat(name: str, module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Flattens plain containers down to the modules that compute something."""
    if is_list(module):
        return [unit for child_name, child in module.named_children() for unit in _flat(f"{name}.{child_name}", child)]
    return [(name, module)]


def _within(unit: str, level: str) -> bool:
    """Whether a unit is, or lies in, the module that timm names as a level; flattened names have ``_`` for a dot."""
    return f"{unit}.".replace(".", "_").startswith(f"{level}.".replace(".", "_"))


def _is_block(name: str, module: nn.Module) -> bool:
    """Whether a unit is a block rather than a layer (a convolution with its norm and activation is a layer)."""
    if any(part.startswith(_BEFORE_BLOCKS) for part in name.split(".")):
        return False
    return sum(isinstance(child, nn.Conv2d | nn.Linear) for child in module.modules()) > 1


def _blank_run(stages: list[nn.Sequential], in_channels: int, native: int | None, backbone: str) -> tuple[list[Tensor], int]:
    """What the stages give for a blank image of the first size that works, and that size in pixels."""
    failure: Exception | None = None
    for size in [native] if native else _BLANK:
        try:
            outputs = run_blank(stages, in_channels, size, size)
            if all(isinstance(x, Tensor) and x.ndim in (3, 4) for x in outputs):
                return outputs, size
            failure = TypeError("a stage does not return one map")
        except FAILURES as error:
            failure = error
    reason = str(failure) or type(failure).__name__  # an assertion may say nothing
    sizes = f"{native}" if native else ", ".join(str(size) for size in _BLANK)
    raise DrifaError(
        f"backbone {backbone!r} cannot be run stage by stage on images of {sizes} pixels ({reason}); these can: {listed()}"
    ) from failure


def _measure(stages: list[nn.Sequential], names: list[str], in_channels: int, size: int, fixed: bool) -> list[StageInfo]:
    """Channels and total stride of every stage."""
    shapes = [tuple(x.shape) for x in run_blank(stages, in_channels, size, size)]
    strides = [size / shape[-1] for shape in shapes]
    if not fixed and any(stride % 1 for stride in strides):
        # Unpadded convolutions shrink the map; the difference of two sizes does not see that.
        more = run_blank(stages, in_channels, size + 64, size + 64)
        strides = [64 / max(1, x.shape[-1] - shape[-1]) for x, shape in zip(more, shapes, strict=True)]
    reductions = [2 ** round(math.log2(stride)) for stride in strides]
    ends = [k + 1 == len(shapes) or shapes[k + 1][-1] != shape[-1] for k, shape in enumerate(shapes)]
    return [
        StageInfo(name, shape[1], reduction, end)
        for name, shape, reduction, end in zip(names, shapes, reductions, ends, strict=True)
    ]


def run_blank(stages: Sequence[nn.Module], in_channels: int, height: int, width: int) -> list[Any]:
    """Runs one blank image through stages, in evaluation mode, and leaves everything as it was."""
    training = [module for stage in stages for module in stage.modules() if module.training]
    parameter = next(parameter for stage in stages for parameter in stage.parameters())
    x = torch.zeros(1, in_channels, height, width, device=parameter.device, dtype=parameter.dtype)
    outputs = []
    try:
        with torch.no_grad(), full_precision(parameter):
            for stage in stages:
                stage.eval()
                x = stage(x)
                outputs.append(x)
    finally:
        for module in training:
            module.training = True
    return outputs
