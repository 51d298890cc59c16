"""DRIFA: MIFA between the branches after each stage; the branches carry MFA (Dhar et al., WACV 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from drifa.attention import MIFA
from drifa.fusion.base import Fusion, FusionSpec, check_choice
from drifa.fusion.projection import ProjectedMIFA

MIFA_AT = ("block", "stage")


class Drifa(Fusion):
    """MIFA after each block (the paper) or after each resolution level, and a concatenating readout.

    Where the modalities differ in channels, MIFA works in a common space: :class:`~drifa.fusion.projection.ProjectedMIFA`.

    Args:
        spec: The branches and tasks.
        mifa_at: ``"block"``, ``"stage"``, or the numbers of the stages that MIFA follows.
        mifa: ``False`` leaves MIFA out (Table 4); a mapping holds options of :class:`~drifa.MIFA`.
        reduction: r of every MIFA.
    """

    couples: ClassVar[bool] = True
    name: ClassVar[str] = "drifa"
    title: ClassVar[str] = "MIFA between the branches after each block, MFA in them (Dhar et al., WACV 2025)"
    uses_mfa: ClassVar[bool] = True

    def __init__(
        self,
        spec: FusionSpec,
        mifa_at: str | Sequence[int] = "block",
        mifa: bool | dict[str, Any] = True,
        reduction: int = 1,
    ) -> None:
        super().__init__(spec)
        options = {"reduction": reduction, **(mifa if isinstance(mifa, dict) else {})}
        self.mifa = nn.ModuleDict()
        for stage in mifa_stages(mifa_at, spec.ends_level) if mifa is not False else ():
            channels = [branch[stage] for branch in spec.channels]
            alike = len(set(channels)) == 1
            self.mifa[str(stage)] = MIFA(channels[0], len(channels), **options) if alike else ProjectedMIFA(channels, **options)

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        if str(stage) not in self.mifa:
            return list(features)
        return self.mifa[str(stage)](features, present)


def mifa_stages(mifa_at: str | Sequence[int], ends_level: Sequence[bool]) -> list[int]:
    """The stages that MIFA follows, ascending."""
    if not isinstance(mifa_at, str):
        return sorted(mifa_at)
    check_choice("mifa_at", mifa_at, MIFA_AT)
    return [stage for stage, ends in enumerate(ends_level) if mifa_at == "block" or ends]
