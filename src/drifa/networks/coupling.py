"""What a factory puts into and between the branches: MFA, the fusion, and the stages that MIFA follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from drifa.attention import MFA
from drifa.errors import DrifaError, suggest
from drifa.fusion import Fusion, FusionSpec
from drifa.fusion.drifa import mifa_stages


def make_fusion(kind: type[Fusion], spec: FusionSpec, fusion_args: Mapping[str, Any], **of_drifa: Any) -> Fusion:
    """The fusion between the branches; an option that does not fit is a DrifaError.

    Args:
        kind: Its class.
        spec: What it is built for.
        fusion_args: Options of a fusion other than DRIFA.
        of_drifa: Options of DRIFA, which are arguments of the factories themselves.
    """
    try:
        return kind(spec, **(of_drifa if kind.uses_mfa else fusion_args))
    except TypeError as error:
        place = f"mifa={of_drifa['mifa']!r}" if kind.uses_mfa else f"fusion_args={dict(fusion_args)!r}"
        raise DrifaError(f"{place} holds an option that does not fit: {error}") from error


def mfa_maker(fusion: type[Fusion], mfa: bool | dict[str, Any], reduction: int) -> Callable[[int], nn.Module] | None:
    """What makes an MFA for a number of channels; ``None`` if there is to be none."""
    if not fusion.uses_mfa or mfa is False:
        return None
    return partial(_make_mfa, {"reduction": reduction, **(mfa if isinstance(mfa, dict) else {})})


def _make_mfa(options: dict[str, Any], channels: int) -> nn.Module:
    try:
        return MFA(channels, **options)
    except TypeError as error:
        raise DrifaError(f"mfa={options!r} holds an unknown option: {error}") from error


def coupled_stages(mifa_at: str | Sequence[str | int], names: Sequence[Sequence[str]], ends_level: Sequence[bool]) -> list[int]:
    """The numbers of the stages that MIFA follows, ascending.

    Args:
        mifa_at: ``"block"``, ``"stage"``, or stages by name or number.
        names: Of each branch: the names of its stages, any of which may be said.
        ends_level: Of each stage: whether it ends a resolution level.

    Raises:
        DrifaError: A stage is unknown, or there is none.
    """
    if isinstance(mifa_at, str):
        return mifa_stages(mifa_at, ends_level)
    numbers = {name: k for branch in names for k, name in enumerate(branch)}
    found: set[int] = set()
    if not isinstance(mifa_at, Sequence):
        raise DrifaError(f"mifa_at={mifa_at!r} is no list; write [{mifa_at!r}], or one of block and stage")
    for stage in mifa_at:
        number = stage if isinstance(stage, int) else numbers.get(stage, -1)
        if not 0 <= number < len(ends_level):
            raise DrifaError(f"mifa_at names the stage {stage!r}{suggest(stage, [*numbers, *range(len(ends_level))])}")
        found.add(number)
    if not found:
        raise DrifaError("mifa_at=[] leaves no MIFA; leave the module out with mifa=False")
    return sorted(found)
