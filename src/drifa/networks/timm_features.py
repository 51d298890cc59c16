"""A branch of a trained network as timm's feature extractors are: for whatever is built on those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timm.models import FeatureInfo
from torch import Tensor, nn

from drifa.backbones.tabular import TabularBranch
from drifa.errors import DrifaError, suggest
from drifa.networks.fusionnet import FusionNet


class TimmFeatures(nn.Module):
    """What ``timm.create_model(…, features_only=True)`` gives, of one modality of a network; made by :func:`as_timm_features`.

    Attributes:
        feature_info: Channels and reductions of the maps, as timm tells them.

    Shape:
        ``[B, C, H, W]``, standardised as for the network -> one map ``[B, C_k, H_k, W_k]`` per level.
    """

    def __init__(self, net: FusionNet, modality: str, out_indices: Sequence[int] | None) -> None:
        super().__init__()
        self.net, self.modality = net, modality
        infos: Any = net.branches[modality].infos
        self._stages = [stage for stage, info in enumerate(infos) if info.ends_level]
        levels = [
            {"num_chs": infos[stage].channels, "reduction": infos[stage].reduction, "module": f"level{k}", "index": k}
            for k, stage in enumerate(self._stages)
        ]
        chosen = list(range(len(levels))) if out_indices is None else list(out_indices)
        wrong = [index for index in chosen if not -len(levels) <= index < len(levels)]
        if wrong or not chosen:
            raise DrifaError(f"out_indices={chosen} do not fit {len(levels)} levels; give some of 0 to {len(levels) - 1}")
        self.feature_info = FeatureInfo(levels, tuple(index % len(levels) for index in chosen))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = self.net.stage_maps({self.modality: x})[self.modality]
        return [maps[self._stages[index]] for index in self.feature_info.out_indices]


def as_timm_features(net: FusionNet, modality: str | None = None, out_indices: Sequence[int] | None = None) -> TimmFeatures:
    """A branch of a network as a multi-scale feature extractor with timm's interface.

    Detectors, segmentation decoders and others that take ``timm.create_model(…, features_only=True)`` take this too. The maps
    are those that the network computes for a patient of whom it has this modality alone, MFA and fusion included.

    Args:
        net: Trained or not; its weights are shared, and training what is built on it trains them.
        modality: Whose branch; may be left out of a network with one.
        out_indices: Levels to return, as in timm; None = all.

    Raises:
        DrifaError: The modality or a level is not known, or the modality is made of columns.

    Examples:
        >>> import torch
        >>> from drifa import as_timm_features, create_model
        >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
        >>> net = create_model(modalities={"photo": 3, "ct": 1}, tasks={"lesion": 7}, backbone_args=tiny).eval()
        >>> features = as_timm_features(net, "ct", out_indices=(1, 2))
        >>> features.feature_info.channels(), features.feature_info.reduction()
        ([4, 8], [8, 16])
        >>> [tuple(x.shape) for x in features(torch.rand(2, 1, 64, 64))]
        [(2, 4, 8, 8), (2, 8, 4, 4)]
    """
    if not isinstance(net, FusionNet):
        raise DrifaError(f"as_timm_features needs a network of create_model, and got a {type(net).__name__}")
    if modality is None:
        if len(net.modalities) > 1:
            raise DrifaError(f"the network has the modalities {', '.join(net.modalities)}; say whose features with modality=…")
        modality = net.modalities[0]
    if modality not in net.modalities:
        raise DrifaError(f"modality {modality!r} is not in this network{suggest(modality, net.modalities)}")
    if isinstance(net.branches[modality], TabularBranch):
        raise DrifaError(f"modality {modality!r} is made of columns, and has no maps")
    return TimmFeatures(net, modality, out_indices)
