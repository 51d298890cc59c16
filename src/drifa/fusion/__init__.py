"""What couples the branches: DRIFA and the controls, one file each behind one interface."""

from drifa.errors import DrifaError, suggest
from drifa.fusion.base import Fusion, FusionSpec
from drifa.fusion.drifa import Drifa
from drifa.fusion.single import Single

FUSIONS: dict[str, type[Fusion]] = {"drifa": Drifa, "concat": Fusion, "single": Single}


def fusion_class(name: str) -> type[Fusion]:
    """The fusion of that name, or an error that lists the known ones."""
    if name not in FUSIONS:
        raise DrifaError(f"fusion {name!r} is not known{suggest(name, FUSIONS)}")
    return FUSIONS[name]


__all__ = ["FUSIONS", "Drifa", "Fusion", "FusionSpec", "Single", "fusion_class"]
