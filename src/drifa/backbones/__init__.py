"""Any sequential timm model as the branch of a modality."""

from drifa.backbones.branch import Branch, ConvMFA
from drifa.backbones.cut import StageInfo, cut, timm_features

__all__ = ["Branch", "ConvMFA", "StageInfo", "cut", "timm_features"]
