"""DRIFA: MIFA between the branches after each stage; the branches carry MFA (Dhar et al., WACV 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from drifa.attention import MIFA
from drifa.fusion.base import Fusion, FusionSpec, check_choice

MIFA_AT = ("block", "stage")


class Drifa(Fusion):
    """MIFA after each block (the paper) or after each resolution level, and a concatenating readout.

    Args:
        spec: The branches and tasks.
        mifa_at: ``"block"`` or ``"stage"``.
        mifa: ``False`` leaves MIFA out (Table 4); a mapping holds options of :class:`~drifa.MIFA`.
        reduction: r of every MIFA.
    """

    name: ClassVar[str] = "drifa"
    uses_mfa: ClassVar[bool] = True

    def __init__(
        self, spec: FusionSpec, mifa_at: str = "block", mifa: bool | dict[str, Any] = True, reduction: int = 1
    ) -> None:
        super().__init__(spec)
        check_choice("mifa_at", mifa_at, MIFA_AT)
        options = {"reduction": reduction, **(mifa if isinstance(mifa, dict) else {})}
        self.mifa = nn.ModuleDict()
        for stage, ends_level in enumerate(spec.ends_level):
            if mifa is not False and (mifa_at == "block" or ends_level):
                self.mifa[str(stage)] = MIFA(spec.equal_channels(stage, self.name), len(spec.modalities), **options)

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        if str(stage) not in self.mifa:
            return list(features)
        return self.mifa[str(stage)](features, present)
