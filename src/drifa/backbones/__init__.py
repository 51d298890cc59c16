"""Any timm model as the branch of a modality: cut into stages where it is sequential, or whole.

The names in ``__all__`` are stable; the modules that they come from, and all else in those, may move.
"""

from drifa.backbones.align import align
from drifa.backbones.branch import Branch, ConvMFA
from drifa.backbones.cut import StageInfo, cut, timm_features
from drifa.backbones.families import FAMILIES
from drifa.backbones.intermediates import EncoderBranch

__all__ = ["FAMILIES", "Branch", "ConvMFA", "EncoderBranch", "StageInfo", "align", "cut", "timm_features"]
