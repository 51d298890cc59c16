"""Regions of each pixel: segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from drifa.config import Config
from drifa.data.targets import Reads, RegionTarget, Target
from drifa.networks.regions import region_probabilities, regions_to_classes
from drifa.tasks.base import Kind

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

SMOOTHING = 1.0  # pixels


@dataclass(frozen=True)
class RegionAnswer:
    """One region of a volume.

    Attributes:
        volume_ml: Its size, ml.
        predictive_entropy: The mean over its voxels, nats; None where it is empty.
        volume_interval: 2.5 % and 97.5 % quantiles of its size over the draws, ml; None for a single draw.
    """

    volume_ml: float
    predictive_entropy: float | None
    volume_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class RegionsAnswer:
    """The regions of a volume.

    Attributes:
        files: The mask files that hold them; empty where nobody named a folder.
        regions: Region -> its figures.
        masks: Region -> its mask (1 inside) on the grid of the case's own volumes; empty where files hold them.
    """

    files: tuple[str, ...]
    regions: Mapping[str, RegionAnswer]
    masks: Mapping[str, Nifti1Image] = field(default_factory=dict, repr=False, compare=False)

    def row(self) -> dict[str, Any]:
        """As one row of a table."""
        sizes: dict[str, float] = {}
        for name, region in self.regions.items():
            sizes[f"{name} (ml)"] = region.volume_ml
            if region.volume_interval is not None:
                sizes[f"{name} (ml, 2.5 %)"], sizes[f"{name} (ml, 97.5 %)"] = region.volume_interval
        return {**sizes, "files": " ".join(self.files)}

    def words(self) -> str:
        """As a person says it."""
        return ", ".join(f"{name} {_size(region)}" for name, region in self.regions.items())


def _size(region: RegionAnswer) -> str:
    if region.volume_interval is None:
        return f"{region.volume_ml:.1f} ml"
    low, high = region.volume_interval
    return f"{region.volume_ml:.1f} ml ({low:.1f} to {high:.1f})"


@dataclass(frozen=True)
class Regions(Kind):
    """Binary cross-entropy plus Dice over the batch for regions that may overlap, or the paper's cross-entropy over exclusive
    classes.

    Args:
        regions: The mask values that make up each region; for ``output="classes"`` nested, outermost first.
        output: ``"regions"`` (a sigmoid each) or ``"classes"`` (a softmax with the background).

    References:
        Isensee et al., nnU-Net for brain tumor segmentation, 2020, https://arxiv.org/abs/2011.00848 (regions instead of
        labels; cross-entropy plus Dice over the batch).
    """

    name: ClassVar[str] = "regions"
    reads: ClassVar[Reads] = "pixels"

    regions: Mapping[str, tuple[int, ...]]
    output: str = "regions"

    @classmethod
    def learn(cls, task: str, target: Target, values: np.ndarray, known: np.ndarray, config: Config) -> Self:
        """The regions are those of the study."""
        assert isinstance(target, RegionTarget)
        return cls(target.regions, config.model.output)

    def to_json(self) -> dict[str, Any]:
        """Plain data that :meth:`from_json` reads."""
        regions = {name: list(values) for name, values in self.regions.items()}
        return {"kind": self.name, "regions": regions, "output": self.output}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` gave."""
        return cls({name: tuple(values) for name, values in value["regions"].items()}, value["output"])

    @property
    def outputs(self) -> int:
        """Regions; the factory adds the background where there is one."""
        return len(self.regions)

    def loss(self, outputs: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """Over the annotated slices of a batch.

        Args:
            outputs: ``[B, maps, H, W]``.
            truth: bool ``[B, R, H, W]``.
            known: bool ``[B]``.

        Raises:
            DrifaError: For ``output="classes"`` with regions that are not nested.
        """
        logits, regions = outputs[known].float(), truth[known]
        if self.output == "classes":
            return F.cross_entropy(logits, regions_to_classes(regions))
        bce = F.binary_cross_entropy_with_logits(logits, regions.to(logits.dtype))
        return bce + soft_dice_loss(logits.sigmoid(), regions)

    def sums(self, outputs: Tensor, truth: Tensor, known: Tensor, loss: Tensor | None = None) -> Tensor:
        """Losses of slices, slices; voxels in both of truth and prediction and in each, by region."""
        outputs = outputs.detach()
        predicted, real = region_probabilities(outputs, self.output)[known] >= 0.5, truth[known]
        both, total = (predicted & real).sum(dim=(0, 2, 3)), predicted.sum(dim=(0, 2, 3)) + real.sum(dim=(0, 2, 3))
        count = known.sum().double()
        if loss is None and bool(known.any()):
            loss = self.loss(outputs, truth, known)
        # Dice over the batch is no sum over slices: its batch weighs by them.
        losses = count * 0 if loss is None else loss.detach().double() * count
        return torch.cat([torch.stack([losses, count]), both.double(), total.double()])

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Mean loss, and Dice of each region over the voxels of all slices together."""
        loss, count, *voxels = sums.tolist()
        if not count:
            return {}
        pairs = zip(self.regions, voxels[: len(self.regions)], voxels[len(self.regions) :], strict=True)
        dice = {f"dice/{name}": 2 * both / total if total else 1.0 for name, both, total in pairs}
        return {"loss": loss / count, **dice}


def soft_dice_loss(probabilities: Tensor, regions: Tensor) -> Tensor:
    r"""One minus the Dice overlap of probabilities with the truth, the mean over the regions.

    Sums run over the whole batch. Most slices of a volume hold no tumour: with one Dice per slice they would be judged by the
    smoothing term alone, and a slice with three tumour pixels would weigh as much as one with three thousand.

    .. math::
        1 - \frac{1}{R}\sum_r \frac{2\sum p_r t_r + \epsilon}{\sum p_r + \sum t_r + \epsilon}, \quad \epsilon = 1\ \text{pixel}

    A region that is empty in the whole batch costs 0 when nothing is predicted and almost 1 when much is.

    Args:
        probabilities: ``[B, R, H, W]``.
        regions: bool ``[B, R, H, W]``.
    """
    truth = regions.to(probabilities.dtype)
    both, total = (x.sum(dim=(0, 2, 3)) for x in (probabilities * truth, probabilities + truth))
    return (1 - (2 * both + SMOOTHING) / (total + SMOOTHING)).mean()
