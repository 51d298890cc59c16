"""GLoRIA-style fusion: global and local representations, and cross attention between modalities.

Reference: Huang, Shen, Lungren, Yeung, "GLoRIA: A Multimodal Global-Local Representation Learning Framework for
Label-efficient Medical Image Recognition", ICCV 2021. The original pairs an image with its report. Our reading of it:

* another modality takes the place of the text, and its tokens that of the words; for m > 2 contexts are averaged over partners;
* the local representation comes from the end of the level before last, the global one from the last maps, as in the original;
* the task heads are trained together with the rest (the original trains a head on a frozen encoder);
* for segmentation the contexts are added to the last maps through a pointwise convolution; the contrastive terms read the maps
  as they were before, for with a context in it each map would know its partner already;
* the contrastive terms need true pairs: in unpaired studies they can only learn noise, so their weight is 0 by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa.attention.pooling import global_mean
from drifa.errors import DrifaError
from drifa.fusion.base import Fusion, FusionSpec, check_counts
from drifa.fusion.tokens import as_map, tokens
from drifa.present import column, keep, mean_present

# The temperatures of the original: attention over regions, words into one score, scores into the loss.
ATTENTION, AGGREGATION, CONTRAST = 4.0, 5.0, 10.0


class Gloria(Fusion):
    """Local tokens of one modality query another's; contexts and global vectors are read together.

    With one modality nothing is there to be queried, and the readout is its global and mean local vector.

    Args:
        spec: The branches and tasks.
        dim: Width D of the shared representation.
        beta: Weight of the contrastive terms; give 0.1 to 1 where subjects have several modalities, 0 in unpaired studies.
    """

    couples: ClassVar[bool] = True
    takes_tabular: ClassVar[bool] = False
    name: ClassVar[str] = "gloria"
    title: ClassVar[str] = "local cross attention, global and local vectors (Huang et al., ICCV 2021)"

    def __init__(self, spec: FusionSpec, dim: int = 512, beta: float = 0.0) -> None:
        super().__init__(spec)
        check_counts(self.name, dim=dim)
        if not isinstance(beta, (int, float)) or beta < 0:
            raise DrifaError(f"fusion 'gloria': beta={beta!r} is not a weight; 0 or more is needed")
        self.width, self.beta = dim, beta
        self.local_embed, self.global_embed, self.residual = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        several = len(spec.modalities) > 1
        for name, channels in zip(spec.modalities, spec.channels, strict=True):
            if not spec.for_decoder or several:
                self.local_embed[name] = nn.Conv2d(channels[spec.token_stage], dim, 1, bias=False)
            if not spec.for_decoder or (several and beta):
                self.global_embed[name] = nn.Linear(channels[-1], dim)
            if spec.for_decoder and several:
                self.residual[name] = nn.Conv2d(dim, channels[-1], 1, bias=False)  # no partner, no context: nothing is added

    @property
    def dim(self) -> int:
        return 2 * self.width * len(self.spec.modalities)

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        if stage != self.spec.token_stage or not self.local_embed:
            return list(features)
        own = list(features)
        local = [
            None if x is None else keep(self.local_embed[name](x), column(present, i))
            for i, (name, x) in enumerate(zip(self.spec.modalities, own, strict=True))
        ]
        if not self.spec.for_decoder:
            return [*own, *local]
        alone = own if self.global_embed else []  # the contrast compares what each modality says without the others
        own = list(own)
        contexts = self._contexts(local, present)
        for i, (x, context) in enumerate(zip(own, contexts, strict=True)):
            if x is not None and context is not None:
                own[i] = keep(x + self.residual[self.spec.modalities[i]](context), column(present, i))
        return [*own, *local, *alone]

    def readout(self, features: Sequence[Tensor | None], present: Tensor | None) -> Tensor:
        own, local = self._split(features)
        contexts = self._contexts(local, present)
        like = next(x for x in local if x is not None)
        parts = []
        for i in range(len(own)):
            x, y, context = own[i], local[i], contexts[i]
            if x is None or y is None:
                parts.append(like.new_zeros(like.shape[0], 2 * self.width))
                continue
            mean = global_mean(y) if context is None else global_mean(y) + global_mean(context)
            parts.append(keep(torch.cat([self._global(i, x), mean], dim=1), column(present, i)))
        return torch.cat(parts, dim=1)

    def auxiliary_loss(self, features: Sequence[Tensor | None], present: Tensor | None) -> dict[str, Tensor]:
        if not self.beta or len(self.spec.modalities) == 1:
            return {}
        own, local = self._split(features)
        like = next(x for x in local if x is not None)
        terms: list[Tensor] = []
        for i, j in combinations(range(len(own)), 2):
            x_i, x_j, l_i, l_j = own[i], own[j], local[i], local[j]
            if x_i is None or x_j is None or l_i is None or l_j is None:
                continue
            if present is not None:
                rows = (present[:, i] & present[:, j]).nonzero().squeeze(1)
                x_i, x_j, l_i, l_j = x_i[rows], x_j[rows], l_i[rows], l_j[rows]
            if x_i.shape[0] < 2:  # nothing to contrast with
                continue
            cosine = F.normalize(self._global(i, x_i), dim=1) @ F.normalize(self._global(j, x_j), dim=1).T
            local_terms = _info_nce(_scores(tokens(l_i), tokens(l_j))) + _info_nce(_scores(tokens(l_j), tokens(l_i)))
            terms.append(_info_nce(cosine) + local_terms / 2)
        return {"contrastive": self.beta * (torch.stack(terms).mean() if terms else like.sum() * 0)}

    def _split(self, features: Sequence[Tensor | None]) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """The maps that the global vectors are read from, and the local ones."""
        count = len(self.spec.modalities)
        return list(features[2 * count :] or features[:count]), list(features[count : 2 * count])

    def _global(self, i: int, x: Tensor) -> Tensor:
        return self.global_embed[self.spec.modalities[i]](global_mean(x))

    def _contexts(self, local: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        """Per modality what the partners find in it, averaged over the partners present; ``None`` where nobody asks."""
        found: list[list[Tensor]] = [[] for _ in local]
        masks: list[list[Tensor | None]] = [[] for _ in local]
        for i, j in permutations(range(len(local)), 2):
            regions, words = local[i], local[j]
            if regions is None or words is None:
                continue
            context = as_map(_attend(tokens(regions), tokens(words)), words)
            if context.shape != regions.shape:
                context = F.interpolate(context, size=regions.shape[2:], mode="bilinear", align_corners=False)
            found[i].append(context)
            masks[i].append(column(present, j))
        return [mean_present(values, mask) if values else None for values, mask in zip(found, masks, strict=True)]


def _attend(regions: Tensor, words: Tensor) -> Tensor:
    """Per word, the regions that it speaks of: ``[B, N, D], [B, M, D] -> [B, M, D]``. First a softmax over the words."""
    similarity = (regions @ words.transpose(1, 2)).softmax(dim=2)
    return (ATTENTION * similarity).softmax(dim=1).transpose(1, 2) @ regions


def _scores(regions: Tensor, words: Tensor) -> Tensor:
    """How well each row's words speak of each row's regions: ``[B, B]``. Used in the loss alone."""
    columns = []
    for row in range(words.shape[0]):  # one row of words at a time bounds the memory
        asked = words[row].expand(regions.shape[0], -1, -1)
        similarity = F.cosine_similarity(asked, _attend(regions, asked), dim=2)
        columns.append((AGGREGATION * similarity).logsumexp(dim=1))
    return torch.stack(columns, dim=1)


def _info_nce(scores: Tensor) -> Tensor:
    """Symmetric contrastive loss: the true partner of each row stands on the diagonal."""
    truth = torch.arange(scores.shape[0], device=scores.device)
    return F.cross_entropy(CONTRAST * scores, truth) + F.cross_entropy(CONTRAST * scores.T, truth)
