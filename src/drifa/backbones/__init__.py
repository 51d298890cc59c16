"""Any sequential timm model as the branch of a modality.

The names in ``__all__`` are stable; the modules that they come from, and all else in those, may move.
"""

from drifa.backbones.align import align
from drifa.backbones.branch import Branch, ConvMFA
from drifa.backbones.cut import StageInfo, cut, timm_features
from drifa.backbones.families import FAMILIES

__all__ = ["FAMILIES", "Branch", "ConvMFA", "StageInfo", "align", "cut", "timm_features"]
