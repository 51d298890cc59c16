"""CAFNet-style fusion: co-attention between the branches at every level, and a hyper-branch that fuses pixel by pixel.

Reference: He, Wang, Zhao, Chen, "Co-Attention Fusion Network for Multimodal Skin Cancer Diagnosis", Pattern Recognition
133:108990, 2023. The original has two branches (dermoscopic and clinical images) and no public code: everything below the
level of its abstract is our reading of CAFNet. Reconfigured:

* any number of modalities: what a branch takes from the others is averaged over those present, and the fusion ratios are a
  softmax over those present;
* attention runs on at most 1,024 positions: larger maps are pooled for it, and its result is interpolated back;
* the hyper-branch carries all tasks, a branch those that its own modality can answer;
* the prediction is the plain mean of the answers (softmaxes, values) of the hyper-branch and of the task's own branches that
  are present, and the deep supervision has weight 1; for segmentation the decoder reads each branch's maps plus those of the
  hyper-branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa.attention.pooling import global_mean
from drifa.backbones.pooled import mean_to
from drifa.errors import DrifaError
from drifa.fusion.base import Fusion, FusionSpec
from drifa.fusion.tokens import as_map, attend, tokens
from drifa.links import Link
from drifa.present import column, keep, mean_present

POSITIONS, NARROWING = 1024, 8


class Caf(Fusion):
    """Co-attention and pixel-wise fusion at the end of every level, a hyper-branch, deep supervision, a combined prediction.

    With one modality there is no partner and no ratio, and the hyper-branch refines the maps of the branch.

    Args:
        spec: The branches and tasks.
    """

    couples: ClassVar[bool] = True
    takes_tabular: ClassVar[bool] = False
    name: ClassVar[str] = "caf"
    title: ClassVar[str] = "co-attention and a hyper-branch at every level (He et al., Pattern Recognition 2023)"
    needs_equal_channels: ClassVar[bool] = True

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__(spec)
        self.attention, self.ratios, self.hyper = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        m, before = len(spec.modalities), 0
        for stage in spec.level_ends:
            c, key = spec.equal_channels(stage, self.name), str(stage)
            if m > 1:
                self.attention[key] = CoAttention(spec.modalities, c)
                self.ratios[key] = nn.Conv2d(m * c, m, 3, padding=1)
            self.hyper[key] = _HyperBlock(c + before, c)
            before = c

    @property
    def dim(self) -> int:
        return super().dim + self._hyper_width + len(self.spec.modalities)

    @property
    def _hyper_width(self) -> int:
        return self.spec.channels[0][-1]

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        key, m = str(stage), len(self.spec.modalities)
        if key not in self.hyper:
            return list(features)
        own, before = list(features[:m]), features[m] if len(features) > m else None
        if m > 1:
            own = self.attention[key](own, present)
        fused = self._fuse(key, own, present)
        if before is not None:
            fused = torch.cat([fused, mean_to(before, fused.shape[2], fused.shape[3])], dim=1)
        return [*own, self.hyper[key](fused)]

    def _fuse(self, key: str, own: list[Tensor | None], present: Tensor | None) -> Tensor:
        """AF: a ratio per modality and pixel. An absent modality has ratio 0."""
        given = [x for x in own if x is not None]
        if any(x.shape != given[0].shape for x in given):
            raise DrifaError(
                f"fusion 'caf' fuses pixel by pixel and needs images of one size in all modalities; its maps are "
                f"{', '.join(f'{x.shape[2]}x{x.shape[3]}' for x in given)}"
            )
        if len(own) == 1:
            return given[0]
        filled = torch.stack([torch.zeros_like(given[0]) if x is None else x for x in own], dim=1)
        logits = self.ratios[key](filled.flatten(1, 2))
        if present is not None:
            logits = logits.masked_fill(~present[:, :, None, None], float("-inf"))
        return (logits.softmax(dim=1)[:, :, None] * filled).sum(dim=1)

    def readout(self, features: Sequence[Tensor | None], present: Tensor | None) -> Tensor:
        """The hyper-branch, the branches, and as m further numbers which of them are there."""
        hyper = features[len(self.spec.modalities)]
        assert hyper is not None
        vector = global_mean(hyper)
        mask = vector.new_ones(vector.shape[0], len(self.spec.modalities)) if present is None else present.to(vector.dtype)
        return torch.cat([vector, self.pooled(features, present), mask], dim=1)

    def bottleneck(self, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        m = len(self.spec.modalities)
        hyper = features[m]
        assert hyper is not None
        return [None if x is None else keep(x + hyper, column(present, i)) for i, x in enumerate(features[:m])]

    def make_head(self, task: str) -> nn.Module:
        sources = [self.spec.modalities.index(name) for name in self.spec.task_modalities[task]]
        return CombinedHead(self._hyper_width, len(self.spec.modalities), sources, self.spec.tasks[task], self.spec.link(task))

    def supervised(self, head: nn.Module, readout: Tensor) -> list[Tensor]:
        assert isinstance(head, CombinedHead)
        hyper, branches, there = head.parts(readout)
        # An absent branch says nothing, which costs a constant and no gradient.
        return [hyper, *(keep(logits, mask) for logits, mask in zip(branches, there, strict=True))]


class CoAttention(nn.Module):
    """CA: each modality takes from the others what its positions ask for. Maps in, refined maps out.

    Args:
        modalities: Their names.
        channels: C, equal in all.
    """

    def __init__(self, modalities: tuple[str, ...], channels: int) -> None:
        super().__init__()
        self.modalities = modalities
        narrow = max(1, channels // NARROWING)
        self.query = nn.ModuleDict({name: nn.Conv2d(channels, narrow, 1) for name in modalities})
        self.key = nn.ModuleDict({name: nn.Conv2d(channels, narrow, 1) for name in modalities})
        self.value = nn.ModuleDict({name: nn.Conv2d(channels, channels, 1) for name in modalities})
        self.gamma = nn.ParameterDict({name: torch.zeros(()) for name in modalities})

    def forward(self, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        pooled = [None if x is None else _pool(x) for x in features]
        output: list[Tensor | None] = []
        for i, (name, x) in enumerate(zip(self.modalities, features, strict=True)):
            own = pooled[i]
            partners = [(j, y) for j, y in enumerate(pooled) if y is not None and j != i]
            if x is None or own is None or not partners:
                output.append(x)
                continue
            q = tokens(self.query[name](own))
            taken = [
                attend(q, tokens(self.key[self.modalities[j]](y)), tokens(self.value[self.modalities[j]](y)))
                for j, y in partners
            ]
            refinement = as_map(mean_present(taken, [column(present, j) for j, _ in partners]), own)
            if refinement.shape != x.shape:
                refinement = F.interpolate(refinement, size=x.shape[2:], mode="bilinear", align_corners=False)
            output.append(keep(x + self.gamma[name] * refinement, column(present, i)))
        return output


class CombinedHead(nn.Module):
    """One linear layer per source; the outputs are those whose answer is the mean of the sources' answers.

    Args:
        width: Length of one vector of the readout (hyper-branch, then the branches).
        modalities: m, the number of branches.
        sources: The branches that can answer the task.
        outputs: Of the task.
        link: What the outputs mean.
    """

    def __init__(self, width: int, modalities: int, sources: Sequence[int], outputs: int, link: Link) -> None:
        super().__init__()
        self.width, self.modalities, self.sources, self.link = width, modalities, list(sources), link
        self.hyper = nn.Linear(width, outputs)
        self.branches = nn.ModuleList(nn.Linear(width, outputs) for _ in sources)

    def parts(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Outputs of the hyper-branch, outputs of each source, and where each source is there (bool ``[B]``)."""
        vectors = x[:, : -self.modalities].unflatten(1, (1 + self.modalities, self.width))
        there = x[:, -self.modalities :] > 0.5
        branches = [layer(vectors[:, 1 + i]) for layer, i in zip(self.branches, self.sources, strict=True)]
        return self.hyper(vectors[:, 0]), branches, [there[:, i] for i in self.sources]

    def forward(self, x: Tensor) -> Tensor:
        hyper, branches, there = self.parts(x)
        return self.link.pool([hyper, *branches], [None, *there])


class _HyperBlock(nn.Module):
    """A residual block of the hyper-branch. ``[B, C_in, H, W] -> [B, C, H, W]``."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Conv2d(channels_in, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def _pool(x: Tensor) -> Tensor:
    """Average pooling until at most :data:`POSITIONS` positions are left."""
    factor = 1
    while -(-x.shape[2] // factor) * -(-x.shape[3] // factor) > POSITIONS:
        factor += 1
    return x if factor == 1 else F.avg_pool2d(x, factor, ceil_mode=True, count_include_pad=False)
