"""MTTU-Net-style fusion: one transformer over the tokens of all modalities, and learned weights of the tasks.

Reference: Cheng, Liu, Kuang, Wang, "A Fully Automated Multimodal MRI-Based Multi-Task Learning for Glioma Segmentation and IDH
Genotyping", IEEE Transactions on Medical Imaging, 2022. The original stacks four registered volumes in one encoder.
Reconfigured, in our reading:

* images that are not registered cannot be stacked: each modality keeps its branch, and the transformer joins their tokens
  (for the original's early fusion, make one modality with several channels of registered images);
* tokens come from the end of the level before last, the convolutional vector from the last maps, so that the whole backbone is
  used; for segmentation tokens come from the last maps and are added to them through a pointwise convolution;
* absent tokens are masked out of the attention;
* the task head has a LeakyReLU between its layers; ``linear_head=True`` leaves them out, as in the original;
* tasks are weighted by learned uncertainty as in the original, in place of the fixed weights of eq. 9; a task that learns its
  own noise (the link ``gaussian``) keeps its fixed weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from drifa.attention.pooling import global_max, global_mean
from drifa.fusion.base import Fusion, FusionSpec, check_counts, check_heads
from drifa.fusion.tokens import Positions, as_map, attend, tokens
from drifa.present import column, keep, run_present

DROPOUT, HEAD_DROPOUT, HEAD_WIDTHS = 0.1, 0.2, (512, 32)


class MttuNet(Fusion):
    """A joint transformer over all tokens of all modalities.

    Args:
        spec: The branches and tasks.
        dim: Width of the tokens.
        depth: Transformer layers.
        heads: Attention heads.
        mlp: Hidden width of a layer's perceptron (the original: 4096).
        linear_head: No LeakyReLU between the linear layers of the task head, as in the original.
    """

    couples: ClassVar[bool] = True
    takes_tabular: ClassVar[bool] = False
    name: ClassVar[str] = "mttu_net"
    title: ClassVar[str] = "one transformer over all tokens, learned task weights (Cheng et al., TMI 2022)"

    def __init__(
        self,
        spec: FusionSpec,
        dim: int = 512,
        depth: int = 4,
        heads: int = 8,
        mlp: int = 2048,
        linear_head: bool = False,
    ) -> None:
        super().__init__(spec)
        check_heads(self.name, dim, heads)
        check_counts(self.name, depth=depth, mlp=mlp)
        self.width, self.linear_head = dim, linear_head
        self.embed, self.project = nn.ModuleDict(), nn.ModuleDict()
        for name, channels in zip(spec.modalities, spec.channels, strict=True):
            c = channels[spec.token_stage]
            self.embed[name] = nn.Sequential(nn.BatchNorm2d(c), nn.LeakyReLU(), nn.Conv2d(c, dim, 3, padding=1))
            if spec.for_decoder:
                self.project[name] = nn.Conv2d(dim, channels[-1], 1)
        self.positions, self.drop = Positions(dim), nn.Dropout(DROPOUT)
        self.modality = nn.ParameterDict({name: 0.02 * torch.randn(1, dim, 1, 1) for name in spec.modalities})
        self.layers = nn.ModuleList(_Layer(dim, heads, mlp) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        # The loss of a task that learns its noise may be negative; a weight learned for it would grow without end.
        weighed = [task for task in spec.tasks if not spec.link(task).learns_noise]
        self.log_variance = nn.ParameterDict({task: torch.zeros(()) for task in weighed})

    @property
    def dim(self) -> int:
        return sum(2 * channels[-1] + 2 * self.width for channels in self.spec.channels)

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        if stage != self.spec.token_stage:
            return list(features)
        own = list(features)
        maps: list[Tensor | None] = []
        for i, (name, x) in enumerate(zip(self.spec.modalities, own, strict=True)):
            if x is None:
                maps.append(None)
                continue
            y = run_present(self.embed[name], x, column(present, i))
            maps.append(self.positions(y) + self.modality[name])
        maps = self._transform(maps, present)
        if not self.spec.for_decoder:
            return [*own, *maps]
        for i, (name, joined) in enumerate(zip(self.spec.modalities, maps, strict=True)):
            x = own[i]
            if x is not None and joined is not None:
                own[i] = keep(x + self.project[name](joined), column(present, i))
        return own

    def readout(self, features: Sequence[Tensor | None], present: Tensor | None) -> Tensor:
        count = len(self.spec.modalities)
        like = next(x for x in features if x is not None)
        parts = []
        for i, channels in enumerate(self.spec.channels):
            x, y = features[i], features[count + i]
            if x is None or y is None:
                parts.append(like.new_zeros(like.shape[0], 2 * channels[-1] + 2 * self.width))
                continue
            pooled = [global_mean(x), global_max(x), global_mean(y), global_max(y)]
            parts.append(keep(torch.cat(pooled, dim=1), column(present, i)))
        return torch.cat(parts, dim=1)

    def make_head(self, task: str) -> nn.Module:
        layers: list[nn.Module] = [nn.Dropout(HEAD_DROPOUT)]
        width = self.dim
        for hidden in HEAD_WIDTHS:
            layers.append(nn.Linear(width, hidden))
            if not self.linear_head:
                layers.append(nn.LeakyReLU())  # under ReLU all 32 units of a task may die
            width = hidden
        return nn.Sequential(*layers, nn.Linear(width, self.spec.tasks[task]))

    def combine(self, losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor | float:
        r"""Learned uncertainty, :math:`\sum_t \frac12 e^{-s_t} L_t + s_t`.

        Fixed weights count for tasks that learn their own noise, and in the validation loss.
        """
        terms = [
            0.5 * torch.exp(-self.log_variance[task]) * loss + self.log_variance[task]
            if task in self.log_variance
            else weights[task] * loss
            for task, loss in losses.items()
        ]
        return sum(terms)

    def _transform(self, maps: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        """The joint transformer: all tokens of a row see each other, absent ones are seen by none."""
        given = [(i, x) for i, x in enumerate(maps) if x is not None]
        sequence = torch.cat([tokens(x) for _, x in given], dim=1)
        lengths = [x.shape[2] * x.shape[3] for _, x in given]
        allowed = None
        if present is not None:
            allowed = torch.cat([present[:, i, None].expand(-1, n) for (i, _), n in zip(given, lengths, strict=True)], dim=1)
        sequence = self.drop(sequence)
        for layer in self.layers:
            sequence = layer(sequence, allowed)
        output: list[Tensor | None] = [None] * len(maps)
        for (i, x), part in zip(given, self.norm(sequence).split(lengths, dim=1), strict=True):
            output[i] = keep(as_map(part, x), column(present, i))
        return output


class _Layer(nn.Module):
    """A pre-norm transformer layer. ``[B, N, D] -> [B, N, D]``."""

    def __init__(self, dim: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(mlp, dim), nn.Dropout(DROPOUT))
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, allowed: Tensor | None) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=2)
        x = x + self.drop(self.out(attend(q, k, v, self.heads, allowed)))
        return x + self.mlp(self.norm2(x))
