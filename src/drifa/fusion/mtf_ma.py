"""MTF-style fusion: mutual attention with exchanged queries.

Reference: Cai, Zhu, Wu, Jiang, Ye, Yang, "A multimodal transformer to fuse images and metadata for skin disease
classification", The Visual Computer 39:2781-2793, 2023. The original joins an image encoder with encoded metadata. Our reading:

* another image modality takes the place of the metadata, and the last maps of the common backbone that of the image tokens;
* modalities have different numbers of tokens, so a partner asks with its mean token, and what it finds is added to every token
  of the one asked; for m > 2 this is averaged over the partners present. ``attention="tokens"`` asks with every token instead:
  ordinary cross attention, in which a modality's tokens query its partners';
* for segmentation the tokens are added to the last maps through a pointwise convolution;
* attention runs over tokens, never over the batch: a prediction does not depend on the other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from drifa.fusion.base import Fusion, FusionSpec, check_choice, check_counts, check_heads
from drifa.fusion.tokens import Positions, as_map, attend, tokens
from drifa.present import column, keep, mean_present

ATTENTION = ("pooled", "tokens")
Tokens = list[Tensor | None]


class MtfMa(Fusion):
    """Mutual attention between the last maps, then one common layer in front of the heads.

    With one modality there is no partner, and the mean token is read.

    Args:
        spec: The branches and tasks.
        dim: Width of the tokens.
        depth: Layers of mutual attention.
        heads: Attention heads.
        attention: ``"pooled"`` (exchanged queries) or ``"tokens"`` (ordinary cross attention).
    """

    couples: ClassVar[bool] = True
    takes_tabular: ClassVar[bool] = False
    name: ClassVar[str] = "mtf_ma"
    title: ClassVar[str] = "mutual attention with exchanged queries (Cai et al., Visual Computer 2023)"

    def __init__(self, spec: FusionSpec, dim: int = 256, depth: int = 2, heads: int = 8, attention: str = "pooled") -> None:
        super().__init__(spec)
        check_heads(self.name, dim, heads)
        check_counts(self.name, depth=depth)
        check_choice("attention", attention, ATTENTION)
        self.width = dim
        self.embed, self.residual = nn.ModuleDict(), nn.ModuleDict()
        several = len(spec.modalities) > 1
        self.layers = nn.ModuleList(_Mutual(spec.modalities, dim, heads, attention) for _ in range(depth if several else 0))
        if spec.for_decoder and not several:
            return
        self.positions = Positions(dim)
        for name, channels in zip(spec.modalities, spec.channels, strict=True):
            self.embed[name] = nn.Conv2d(channels[-1], dim, 1)
            if spec.for_decoder:
                self.residual[name] = nn.Conv2d(dim, channels[-1], 1)
        if not spec.for_decoder:
            self.join = nn.Sequential(nn.Linear(dim * len(spec.modalities), self.dim), nn.ReLU())

    @property
    def dim(self) -> int:
        return max(1, self.width * len(self.spec.modalities) // 2)

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        own = list(features)
        if stage + 1 < len(self.spec.ends_level) or not self.spec.for_decoder or not self.embed:
            return own
        for i, (name, found) in enumerate(zip(self.spec.modalities, self._exchange(own, present), strict=True)):
            x = own[i]
            if x is not None and found is not None:
                own[i] = keep(x + self.residual[name](as_map(found, x)), column(present, i))
        return own

    def readout(self, features: Sequence[Tensor | None], present: Tensor | None) -> Tensor:
        like = next(x for x in features if x is not None)
        parts = []
        for i, found in enumerate(self._exchange(features, present)):
            if found is None:
                parts.append(like.new_zeros(like.shape[0], self.width))
            else:
                parts.append(keep(found.mean(dim=1), column(present, i)))
        return self.join(torch.cat(parts, dim=1))

    def _exchange(self, features: Sequence[Tensor | None], present: Tensor | None) -> Tokens:
        """The tokens of the last maps after all layers of mutual attention."""
        found: Tokens = [
            None if x is None else tokens(self.positions(self.embed[name](x)))
            for name, x in zip(self.spec.modalities, features, strict=True)
        ]
        for layer in self.layers:
            found = layer(found, present)
        return found


class _Mutual(nn.Module):
    """One layer of mutual attention. Per modality ``[B, N, D]``, or ``None``; the same form comes out."""

    def __init__(self, modalities: tuple[str, ...], dim: int, heads: int, attention: str) -> None:
        super().__init__()
        self.modalities, self.heads, self.attention = modalities, heads, attention
        self.norm = nn.ModuleDict({name: nn.LayerNorm(dim) for name in modalities})
        self.query = nn.ModuleDict({name: nn.Linear(dim, dim) for name in modalities})
        self.key_value = nn.ModuleDict({name: nn.Linear(dim, 2 * dim) for name in modalities})
        self.out = nn.ModuleDict({name: nn.Linear(dim, dim) for name in modalities})

    def forward(self, found: Tokens, present: Tensor | None) -> Tokens:
        normed = [None if x is None else self.norm[name](x) for name, x in zip(self.modalities, found, strict=True)]
        exchange = self._pooled if self.attention == "pooled" else self._tokens
        output: Tokens = []
        for i, x in enumerate(found):
            partners = [j for j, y in enumerate(normed) if y is not None and j != i]
            if x is None or not partners:
                output.append(x)
                continue
            name = self.modalities[i]
            answer = self.out[name](exchange(i, partners, normed, present))
            if present is not None:  # a row without a partner stays as it is
                answer = keep(answer, present[:, partners].any(dim=1))
            output.append(x + answer)
        return output

    def _pooled(self, i: int, partners: list[int], normed: Tokens, present: Tensor | None) -> Tensor:
        """The partners ask: ``[B, 1, D]``."""
        own, name = normed[i], self.modalities[i]
        assert own is not None
        k, v = self.key_value[name](own).chunk(2, dim=2)
        questions = [y.mean(dim=1, keepdim=True) for y in (normed[j] for j in partners) if y is not None]
        answers = [attend(self.query[name](question), k, v, self.heads) for question in questions]
        return mean_present(answers, [column(present, j) for j in partners])

    def _tokens(self, i: int, partners: list[int], normed: Tokens, present: Tensor | None) -> Tensor:
        """The partners are asked: ``[B, N, D]``."""
        own = normed[i]
        assert own is not None
        others = [(j, y) for j, y in ((j, normed[j]) for j in partners) if y is not None]
        k, v = torch.cat([self.key_value[self.modalities[j]](y) for j, y in others], dim=1).chunk(2, dim=2)
        allowed = None
        if present is not None:
            allowed = torch.cat([present[:, j, None].expand(-1, y.shape[1]) for j, y in others], dim=1)
            allowed = allowed | ~allowed.any(dim=1, keepdim=True)  # a softmax over nothing would be NaN
        return attend(self.query[self.modalities[i]](own), k, v, self.heads, allowed)
