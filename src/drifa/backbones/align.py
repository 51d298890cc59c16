"""Branches of different backbones, brought to the same stages: those of the resolution levels that all of them have."""

from __future__ import annotations

from collections.abc import Sequence

from drifa.backbones.branch import Branch


def align(branches: Sequence[Branch]) -> None:
    """Merges stages so that stage k is the same resolution level in every branch.

    Branches whose stages end levels at the same places stay as they are. Otherwise a stage ends where all branches end a
    level of the same total stride, and at the end; levels that one branch has alone (such as stride 2 of EfficientNet
    beside a ResNet) join the next. MFA stays where it stands, inside the merged stage.

    Args:
        branches: One per modality; changed in place.
    """
    if len({tuple(info.ends_level for info in branch.infos) for branch in branches}) == 1:
        return
    levels = [{info.reduction for info in branch.infos if info.ends_level} for branch in branches]
    common = set.intersection(*levels)
    inner = {reduction for reduction in common if all(reduction < max(own) for own in levels)}  # the last stages meet anyway
    for branch in branches:
        ends = [k for k, info in enumerate(branch.infos) if info.ends_level and info.reduction in inner]
        branch.merge([*ends, len(branch.infos) - 1])
