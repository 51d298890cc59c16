"""A pass through a network that has begun: what is computed once, and run on from there for many draws or subsets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from drifa.networks.inputs import Features


class Begun(NamedTuple):
    """A pass that stands behind the body of a stage; what follows may be run from here many times.

    Attributes:
        stage: Its number.
        features: Per modality ``[B, C, H, W]`` or ``None``; further maps of the fusion behind them.
        present: bool ``[B, m]`` or ``None``.
        size: Height and width of the answers that are maps.
        levels: What whole encoders gave: per stage, per modality ``[B, C, H, W]``, ``None`` for a branch that runs stage by
            stage. Empty if all of them do.
    """

    stage: int
    features: Features
    present: Tensor | None
    size: tuple[int, int] = (0, 0)
    levels: tuple[Features, ...] = ()

    @property
    def rows(self) -> int:
        """B."""
        return next(x.shape[0] for x in self.features if x is not None)

    def of_rows(self, rows: Tensor, present: Tensor) -> Begun:
        """The pass of some rows, with what they have of the modalities: int64 ``[N]`` and bool ``[N, m]``."""

        def picked(features: Features) -> Features:
            return [None if x is None or not bool(present[:, i].any()) else x[rows] for i, x in enumerate(features)]

        return self._replace(
            features=picked(self.features),
            levels=tuple(picked(maps) for maps in self.levels),
            present=None if bool(present.all()) else present,
        )

    def exchanged(self, other: Begun, rows: Tensor) -> Begun:
        """Some rows, with what another pass of as many has of its modalities in place of their own: int64 ``[N]``."""

        def chosen(own: Features, new: Features) -> Features:
            return [(None if x is None else x[rows]) if y is None else y for x, y in zip(own, new, strict=True)]

        return self._replace(
            features=chosen(self.features, other.features),
            levels=tuple(chosen(own, new) for own, new in zip(self.levels, other.levels, strict=True)),
            present=None if self.present is None else self.present[rows],
        )

    def repeated(self, times: int) -> Begun:
        """The same rows so often, one copy of all behind the other."""
        if times == 1:
            return self

        def copied(features: Features) -> Features:
            return [None if x is None else x.repeat(times, 1, 1, 1) for x in features]

        return self._replace(
            features=copied(self.features),
            levels=tuple(copied(maps) for maps in self.levels),
            present=None if self.present is None else self.present.repeat(times, 1),
        )


def run_subsets(begun: Begun, subsets: Tensor, run: Callable[[Begun], dict[str, Tensor]]) -> list[dict[str, Tensor] | None]:
    """Runs the rest of a network once for each subset of the modalities, on the rows that have something of it.

    Args:
        begun: What does not depend on the subset.
        subsets: bool ``[S, m]``.
        run: The pass of some rows -> task -> answers.

    Returns:
        Per subset, task -> answers of all B rows, NaN for a row that has none of its modalities; ``None`` if no row has.
    """
    like = next(x for x in begun.features if x is not None)
    everything = begun.present
    if everything is None:
        everything = like.new_ones(like.shape[0], subsets.shape[1], dtype=torch.bool)
    found: list[dict[str, Tensor] | None] = []
    for subset in subsets.to(like.device):
        here = everything & subset
        rows = here.any(dim=1).nonzero().squeeze(1)
        if not len(rows):
            found.append(None)
            continue
        answers = run(begun.of_rows(rows, here[rows]))
        found.append(
            {task: y.new_full((like.shape[0], *y.shape[1:]), torch.nan).index_copy(0, rows, y) for task, y in answers.items()}
        )
    return found
