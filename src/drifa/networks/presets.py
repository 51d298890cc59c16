"""The networks of the paper by name: arguments of the function that builds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drifa.errors import DrifaError, suggest
from drifa.networks.factory import create_model
from drifa.networks.fusionnet import FusionNet
from drifa.networks.segmentation_factory import create_segmentation_model
from drifa.networks.segnet import FusionSegNet

SEGNET = "drifa_segnet"
PRESETS: dict[str, dict[str, Any]] = {
    # Table 1, Algorithm 1; what create_model does by itself.
    "drifa_resnet18": {"backbone": "resnet18", "mfa_at": "conv", "mifa_at": "block", "dropout_at": "blocks"},
    # Table 2. The paper does not say where the modules stand: MFA behind the stem and each of the eleven mixed blocks, MIFA
    # where the grid or its width changes, dropout with MIFA.
    "drifa_inception_v3": {
        "backbone": "inception_v3",
        "own_stem": True,
        "mfa_at": "block",
        "mifa_at": ["stem", "Mixed_5d", "Mixed_6a", "Mixed_6e", "Mixed_7a", "Mixed_7c"],
        "dropout_at": "mifa",
    },
    # Table 3; what create_segmentation_model does by itself.
    SEGNET: {"mfa_at": "conv", "indices": "branch", "output": "regions"},
}


def create_preset(name: str, **arguments: Any) -> FusionNet | FusionSegNet:
    """Builds a network of the paper.

    Args:
        name: A key of :data:`PRESETS`.
        arguments: Further arguments of :func:`drifa.create_model`, such as ``modalities``, ``tasks`` and ``reduction``, or for
            ``"drifa_segnet"`` of :func:`drifa.create_segmentation_model`; they win over those of the preset.

    Raises:
        DrifaError: For an unknown name, and whatever the function refuses.

    Examples:
        >>> net = create_preset("drifa_segnet", modalities={"flair": 1, "t1": 1}, regions={"tumour": 3}, width=1 / 16)
        >>> [type(module).__name__ for module in net.fusion.mifa.values()]
        ['MIFA', 'MIFA', 'MIFA', 'MIFA', 'MIFA']
    """
    if name not in PRESETS:
        raise DrifaError(f"preset {name!r} is not known{suggest(name, PRESETS)}")
    build: Callable[..., FusionNet | FusionSegNet] = create_segmentation_model if name == SEGNET else create_model
    return build(**{**PRESETS[name], **arguments})
