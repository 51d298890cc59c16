"""What couples the branches: DRIFA, its rivals and the controls, one file each behind one interface.

The names in ``__all__`` are stable, and so is what :class:`Fusion` asks of a fusion; the modules that they come from, and all
else in those, may move.
"""

from drifa.errors import DrifaError, suggest
from drifa.fusion.base import Fusion, FusionSpec, check_options
from drifa.fusion.caf import Caf
from drifa.fusion.drifa import Drifa
from drifa.fusion.drifa_plus import DrifaPlus
from drifa.fusion.gloria import Gloria
from drifa.fusion.mtf_ma import MtfMa
from drifa.fusion.mttu_net import MttuNet
from drifa.fusion.se_matched import SeMatched
from drifa.fusion.single import Single

FUSIONS: dict[str, type[Fusion]] = {
    fusion.name: fusion for fusion in (Drifa, Gloria, MttuNet, Caf, MtfMa, Fusion, Single, SeMatched, DrifaPlus)
}


def fusion_class(name: str) -> type[Fusion]:
    """The fusion of that name, or an error that lists the known ones."""
    if name not in FUSIONS:
        raise DrifaError(f"fusion {name!r} is not known{suggest(name, FUSIONS)}")
    return FUSIONS[name]


__all__ = [
    "FUSIONS",
    "Caf",
    "Drifa",
    "DrifaPlus",
    "Fusion",
    "FusionSpec",
    "Gloria",
    "MtfMa",
    "MttuNet",
    "SeMatched",
    "Single",
    "check_options",
    "fusion_class",
]
