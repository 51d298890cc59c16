"""What a task's column holds and what is known of it, one file per kind.

A new kind is one file here and one line in ``TARGETS``; its other side stands in :mod:`drifa.tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drifa.data.targets.base import Reads, Target
from drifa.data.targets.classes import ClassTarget
from drifa.data.targets.number import NumberTarget
from drifa.data.targets.regions import RegionTarget
from drifa.errors import DrifaError, suggest

__all__ = ["TARGETS", "ClassTarget", "NumberTarget", "Reads", "RegionTarget", "Target", "target_type"]

#: Every kind of target by its name.
TARGETS: dict[str, type[Target]] = {target.kind: target for target in (ClassTarget, RegionTarget, NumberTarget)}
#: Keys that only one kind has.
TASK_KEYS = tuple(key for target in TARGETS.values() for key in target.keys)


def target_type(spec: Mapping[str, Any], place: str) -> type[Target]:
    """The target that a declaration means: its ``kind``, or, without one, the kind of the key that it has.

    Args:
        spec: The entry of a task in a `study.yaml` or a mapping; keys that hold None count as left out.
        place: How errors call it.

    Raises:
        DrifaError: An unknown kind, or keys of two kinds.
    """
    given = [key for key in TASK_KEYS if spec.get(key) is not None]
    name = spec.get("kind")
    if name is not None and name not in TARGETS:
        raise DrifaError(f"{place} has the unknown kind {name!r}{suggest(str(name), TARGETS)}")
    if name is None and "classes" in given and "regions" in given:
        raise DrifaError(f"{place} has both classes and regions; keep the one that you mean")
    if name is None and given == ["unit"]:
        raise DrifaError(f"{place} has a unit, which only a number has; add 'kind: number'")
    kind = TARGETS[name or next((owner.kind for owner in TARGETS.values() if set(owner.keys) & set(given)), "classes")]
    for key in given:
        if key not in kind.keys:
            raise DrifaError(f"{place} is of the kind {kind.kind} and has {key}, which that kind does not take; leave it out")
    return kind
