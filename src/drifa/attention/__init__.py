"""The paper's contribution: MFA inside a modality, MIFA across modalities. Plain torch modules, usable alone.

The names in ``__all__`` are stable; the modules that they come from, and all else in those, may move.
"""

from drifa.attention.mfa import CLIA, HIFA, MFA
from drifa.attention.mifa import MGIFA, MIFA, MLIFA

__all__ = ["CLIA", "HIFA", "MFA", "MGIFA", "MIFA", "MLIFA"]
