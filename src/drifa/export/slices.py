"""A run that segments as one program: axial slices and what is present in, the probabilities of regions out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from drifa.export.program import Arrays, Program, difference
from drifa.networks.regions import region_probabilities
from drifa.uncertainty.region_calibration import SMALLEST, RegionTemperatures

#: Share of the pixels that :data:`drifa.export.program.LIMIT` is for, and what the others may differ by. Where two neighbours
#: are largest but for rounding, another runtime pools the other one, and the decoder puts it back a pixel further.
SHARE, STRAY = 0.99, 0.01


@dataclass(frozen=True)
class AskedRegions:
    """A task of a program that segments.

    Attributes:
        output: What the maps of its head mean, see :func:`drifa.networks.regions.region_probabilities`.
        temperatures: How its probabilities are calibrated; None for not at all.
    """

    output: str
    temperatures: RegionTemperatures | None = None

    def answer(self, outputs: Tensor) -> Tensor:
        """Maps ``[B, maps, H, W]`` of one member -> ``[B, R, H, W]``."""
        return region_probabilities(outputs, self.output)

    def summary(self, task: str, answers: Tensor, present: Tensor, calibrated: bool = True) -> dict[str, Tensor]:
        """Outputs by name, from answers ``[M, B, R, H, W]``; rows that lack a modality are calibrated as the others."""
        p = answers.mean(0)
        if self.temperatures is None or not calibrated:
            return {f"probabilities_{task}": p}
        # The difference of logarithms, and not the logarithm of p / (1 - p), tells apart what float32 holds just below 1.
        edge = math.log((1 - SMALLEST) / SMALLEST)
        odds = (p.log() - (1 - p).log()).clamp(-edge, edge)
        by = p.new_tensor(self.temperatures.temperatures)[:, None, None]
        return {f"probabilities_{task}": (odds / by).sigmoid(), f"raw_{task}": p}

    def off(self, task: str, answers: np.ndarray, whole: bool, got: Arrays) -> float:
        """As :meth:`drifa.export.program.Asked.off`, of a share of the pixels, or of all if another one goes astray.

        What calibrates is compared on the program's own averages, in all pixels: just below 1, one step of float32 in an
        average moves what is calibrated by more than the limit.
        """
        p = got[f"raw_{task}" if self.temperatures is not None else f"probabilities_{task}"]
        worst = difference(p, answers.mean(axis=0))
        if worst <= STRAY:
            worst = float(np.quantile(np.abs(p - answers.mean(axis=0)), SHARE))
        if self.temperatures is None or not math.isfinite(worst):
            return worst
        expected = np.moveaxis(self.temperatures(np.moveaxis(p.clip(0, 1), 1, 0)), 0, 1)
        return max(worst, difference(got[f"probabilities_{task}"], expected))


class SliceProgram(Program):
    """As :class:`Program`, of a run that segments.

    Shape:
        - images: modality -> float32 ``[B, 1, H, W]``, slices as :func:`drifa.data.reading.slicing.prepare_volumes` gives them;
          all of them.
        - present: bool ``[B, m]``.
        - output: ``probabilities_TASK`` ``[B, R, H, W]`` (and ``raw_TASK``).
    """

    def inputs(self, net: Any, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a member reads: slices in the precision in which they are kept for training."""
        return {name: x.half().float() for name, x in images.items()}
