"""The networks of the paper by name: arguments of :func:`drifa.create_model`."""

from __future__ import annotations

from typing import Any

from drifa.errors import DrifaError, suggest
from drifa.networks.factory import create_model
from drifa.networks.fusionnet import FusionNet

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
}


def create_preset(name: str, **arguments: Any) -> FusionNet:
    """Builds a network of the paper.

    Args:
        name: A key of :data:`PRESETS`.
        arguments: Further arguments of :func:`drifa.create_model`, such as ``modalities``, ``tasks`` and ``reduction``; they
            win over those of the preset.

    Raises:
        DrifaError: For an unknown name, and whatever :func:`drifa.create_model` refuses.
    """
    if name not in PRESETS:
        raise DrifaError(f"preset {name!r} is not known{suggest(name, PRESETS)}")
    return create_model(**{**PRESETS[name], **arguments})
