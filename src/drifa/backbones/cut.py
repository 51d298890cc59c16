"""Any sequential timm network, cut into an ordered list of stages.

timm's ``features_only`` networks already are an ordered list of modules. Here that list is cut at *block* granularity:
a stage is one residual (inception, inverted residual, …) block; everything before the first block, the stem, belongs to
the first stage. ResNet18 gives the paper's eight stages: stem + block 1, block 2, …, block 8.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import timm
import torch
from timm.models._features import FeatureDictNet
from torch import nn

from drifa.errors import DrifaError, suggest

# Networks whose timm feature class is not a FeatureListNet but still runs its children in order.
_SEQUENTIAL_CLASSES = ("EfficientNetFeatures", "MobileNetV3Features")
_FAMILIES = "resnet*, resnext*, seresnet*, densenet*, efficientnet*, mobilenetv3*, regnet*, convnext*, vgg*, inception_v3"


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
    names = timm.list_models()
    if backbone.split(".")[0] not in names:
        raise DrifaError(f"backbone {backbone!r} is not a timm model{suggest(backbone, names) if len(backbone) > 2 else ''}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return timm.create_model(backbone, features_only=True, in_chans=in_channels, **(arguments or {}))
    except (TypeError, AttributeError, RuntimeError, AssertionError, ValueError) as error:
        raise DrifaError(
            f"backbone {backbone!r} cannot be built as a feature network with {arguments or 'its defaults'}: {error}"
        ) from error


def cut(features: nn.Module, backbone: str, in_channels: int) -> tuple[list[nn.Sequential], list[StageInfo]]:
    """Cuts a timm feature network into stages.

    Args:
        features: What :func:`timm_features` returned.
        backbone: Its name, for error messages.
        in_channels: Channels of the input images.

    Returns:
        The stages, to be run one after the other, and what each of them gives.

    Raises:
        DrifaError: If the network does not run its modules in sequence or does not give NCHW maps.
    """
    sequential = isinstance(features, FeatureDictNet) or type(features).__name__ in _SEQUENTIAL_CLASSES
    if not sequential or str(getattr(features, "output_fmt", None) or "NCHW").split(".")[-1] != "NCHW":
        raise DrifaError(
            f"backbone {backbone!r} does not run NCHW modules in sequence, so it cannot be cut into stages; "
            f"these can: {_FAMILIES}"
        )
    units = [unit for name, child in features.named_children() for unit in _units(name, child)]
    level_ends = {str(name).replace(".", "_") for name in features.feature_info.module_name()}  # type: ignore[operator,union-attr]
    blocks = [k for k, (_, module) in enumerate(units) if _is_block(module)]
    if blocks:
        last = [*[k - 1 for k in _starts(units, blocks)[1:]], len(units) - 1]
    else:  # plain stacks such as VGG: cut where timm names a level
        last = [k for k, (name, _) in enumerate(units) if name.replace(".", "_") in level_ends]
        last[-1] = len(units) - 1
    stages, begin = [], 0
    for end in last:
        stages.append(nn.Sequential(*[module for _, module in units[begin : end + 1]]).train(features.training))
        begin = end + 1
    names = [units[end][0] for end in last]
    return stages, _measure(stages, names, in_channels, backbone)


def _units(name: str, module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Flattens plain containers down to the modules that compute something."""
    if type(module).forward is nn.Sequential.forward and len(module) > 0:  # type: ignore[arg-type]
        return [unit for child_name, child in module.named_children() for unit in _units(f"{name}.{child_name}", child)]
    return [(name, module)]


def _is_block(module: nn.Module) -> bool:
    """Whether a unit is a block rather than a layer (a convolution with its norm and activation is a layer)."""
    convolutions = sum(isinstance(child, nn.Conv2d) for child in module.modules())
    return convolutions > 1


def _starts(units: list[tuple[str, nn.Module]], blocks: list[int]) -> list[int]:
    """Where each stage begins: a block takes the single layers in front of it along, the first one takes the stem."""
    starts = [0]
    starts.extend(previous + 1 for previous in blocks[:-1])
    return starts


def _measure(stages: list[nn.Sequential], names: list[str], in_channels: int, backbone: str) -> list[StageInfo]:
    """Runs one blank image through the stages and notes channels and strides."""
    size = 192
    x = torch.zeros(1, in_channels, size, size)
    shapes = []
    training = [stage.training for stage in stages]
    try:
        with torch.no_grad():
            for stage in stages:
                x = stage.eval()(x)
                if not isinstance(x, torch.Tensor) or x.ndim != 4:
                    raise TypeError("a stage does not return one [B, C, H, W] map")
                shapes.append((x.shape[1], x.shape[-1]))
    except (RuntimeError, TypeError, AttributeError, AssertionError) as error:
        raise DrifaError(f"backbone {backbone!r} cannot be run stage by stage ({error}); these can: {_FAMILIES}") from error
    finally:
        for stage, was in zip(stages, training, strict=True):
            stage.train(was)
    infos = []
    for k, (channels, width) in enumerate(shapes):
        ends = k + 1 == len(shapes) or shapes[k + 1][1] != width
        infos.append(StageInfo(names[k], channels, max(1, round(size / width)), ends))
    return infos
