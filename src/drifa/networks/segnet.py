"""FusionSegNet: SegNet with one encoder per modality, a fusion between them, and one decoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa.backbones.precision import full_precision
from drifa.backbones.segnet_encoder import LAYOUT, SegNetEncoder
from drifa.errors import DrifaError, suggest
from drifa.fusion import Fusion
from drifa.networks.begun import Begun
from drifa.networks.branched import BranchedNet
from drifa.networks.dropout import Keys
from drifa.networks.inputs import Features, Inputs
from drifa.networks.segnet_decoder import SegNetDecoder
from drifa.present import column, is_recorded, mean_present

INDICES = ("branch", "mean")
STRIDE = 2 ** len(LAYOUT)


class FusionSegNet(BranchedNet):
    """Segmentation from any number of registered image modalities. Build it with :func:`drifa.create_segmentation_model`.

    For each of the five stages: every encoder runs on the rows that have its modality; dropout; the branch's MFA; the fusion;
    2x2 max pooling. The decoder unpools to where the maxima were. With several modalities there are several sets of such
    places, and the paper does not say which are meant:

    * ``indices="branch"``: the decoder, one set of weights, runs on each modality with that modality's own places, and the
      logits are averaged over the modalities present. Every value goes back to where it came from, a missing modality only
      drops out of a mean, and modalities need nothing in common but their channels.
    * ``indices="mean"``: the places are those of the mean map, every modality is pooled there, and the decoder runs once on
      the mean of the deepest maps. It costs one decoder for any number of modalities.

    Args:
        branches: Modality name -> encoder.
        fusion: What couples them.
        maps: Task -> output maps.
        dropout_rate: p of the dropout at the end of each stage.
        indices: ``"branch"`` or ``"mean"``.

    Shape:
        - inputs: modality name -> ``[B, C, H, W]``, one H and W in all; a missing name is a modality that no row has. Sides
          that are no multiple of 32 are padded with zeros at the right and the bottom, and the logits cropped back.
        - present: bool ``[B, m]``, columns in the order of ``modalities``; ``None`` = every given modality in every row.
        - output: task name -> logits ``[B, maps, H, W]``.
    """

    def __init__(
        self,
        branches: Mapping[str, SegNetEncoder],
        fusion: Fusion,
        maps: Mapping[str, int],
        dropout_rate: float = 0.25,
        indices: str = "branch",
    ) -> None:
        super().__init__(branches, fusion, dropout_rate, range(len(LAYOUT)))
        if indices not in INDICES:
            raise DrifaError(f"indices={indices!r} is not known{suggest(indices, INDICES)}")
        self.indices = indices
        channels = [info.channels for info in next(iter(branches.values())).infos]
        self.decoder = SegNetDecoder([count for count, _ in LAYOUT], channels)
        self.heads = nn.ModuleDict({task: nn.Conv2d(channels[0], count, 1) for task, count in maps.items()})

    def _begin(self, inputs: Inputs, present: Tensor | None, far: bool = False) -> Begun:
        # The decoder needs the places of every stage's maxima, so a pass that begins further on would lack some.
        features, present = self._check(inputs, present)
        sizes = {name: (x.shape[2], x.shape[3]) for name, x in inputs.items() if isinstance(x, Tensor)}
        height, width = next(iter(sizes.values()))
        if not is_recorded() and len(set(sizes.values())) > 1:
            named = ", ".join(f"{name} {h}x{w}" for name, (h, w) in sizes.items())
            raise DrifaError(f"the modalities have different sizes ({named}); bring them onto one grid first")
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        if is_recorded() or any(padding):  # a program may be made for any size
            features = [None if x is None else F.pad(x, padding) for x in features]
        return Begun(0, self._body(0, features, present), present, (height, width))

    def _finish(self, begun: Begun, keys: Keys | None, supervised: bool = False) -> tuple[dict[str, list[Tensor]], Features]:
        features, present = begun.features, begun.present
        places: list[list[Tensor | None]] = []
        for k in range(self.stage_count):
            features = self._tail(k, features if k == 0 else self._body(k, features, present), present, keys)
            last = features  # as they are before their pooling
            if k + 1 == self.stage_count:
                features = self.fusion.bottleneck(features, present)
            features, where = self._pool(features, present)
            places.append(where)
        if self.indices == "mean":
            maps = self.decoder(self._mean(features, present), [where[0] for where in places])
            logits = self._logits(maps, begun.size)
        else:
            logits = self._decode(features, places, present, begun.size)
        return {task: [value] for task, value in logits.items()}, last

    def _logits(self, maps: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
        with full_precision(maps):  # as in FusionNet, the heads stay in 32 bit
            maps = maps[:, :, : size[0], : size[1]].to(self._head_dtype)
            return {task: head(maps) for task, head in self.heads.items()}

    def _pool(self, features: Features, present: Tensor | None) -> tuple[Features, list[Tensor | None]]:
        """Pools the maps of the modalities and says where the maxima were; further maps of the fusion pass by."""
        own, further = features[: len(self.modalities)], features[len(self.modalities) :]
        if self.indices == "branch":
            pairs = [(None, None) if x is None else F.max_pool2d(x, 2, return_indices=True) for x in own]
            return [*(y for y, _ in pairs), *further], [where for _, where in pairs]
        _, where = F.max_pool2d(self._mean(own, present), 2, return_indices=True)
        flat = where.flatten(2)
        pooled = [None if x is None else x.flatten(2).gather(2, flat).view_as(where) for x in own]
        return [*pooled, *further], [where]

    def _decode(
        self, features: Features, places: list[list[Tensor | None]], present: Tensor | None, size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """One decoder pass over all images that are there, whatever their modality; then the mean of each row's logits."""
        there = [i for i, x in enumerate(features) if x is not None]
        masks = [column(present, i) for i in there]
        recorded = is_recorded()  # a program cannot choose rows, see run_present

        def gathered(values: Features) -> Tensor:
            given = [(values[i], mask) for i, mask in zip(there, masks, strict=True)]
            return torch.cat([x if recorded or mask is None else x[mask] for x, mask in given if x is not None])

        logits = self._logits(self.decoder(gathered(features), [gathered(where) for where in places]), size)
        if recorded or present is None:
            return {task: mean_present(value.unflatten(0, (len(there), -1)).unbind(), masks) for task, value in logits.items()}
        counts = [int(present[:, i].sum()) for i in there]
        return {
            task: mean_present(
                [_spread(part, present[:, i]) for part, i in zip(value.split(counts), there, strict=True)], masks
            )
            for task, value in logits.items()
        }

    def _mean(self, features: Features, present: Tensor | None) -> Tensor:
        given = [(x, column(present, i)) for i, x in enumerate(features) if x is not None]
        return mean_present([x for x, _ in given], [mask for _, mask in given])


def _spread(values: Tensor, mask: Tensor) -> Tensor:
    """Values of the rows in a mask put back into their places, zeros elsewhere."""
    return values.new_zeros(mask.shape[0], *values.shape[1:]).index_copy(0, mask.nonzero().squeeze(1), values)
