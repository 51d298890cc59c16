"""MIFA: multimodal information fusion attention across modalities (eqs. 5-8).

Paper: Dhar et al., "Multimodal Fusion Learning with Dual Attention for Medical Imaging", WACV 2025,
https://arxiv.org/abs/2412.01248. One attention map, computed from all modalities that are present, multiplies each of
them. Defaults follow the layers that the authors released.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa.attention.implementation import pointwise, way_of
from drifa.attention.local import pooled_local
from drifa.attention.mfa import begin, check_map, gated_sum, glorot_init, inner_channels
from drifa.attention.pooling import global_max, global_mean, global_min
from drifa.errors import DrifaError, suggest
from drifa.present import sum_present

POOLS = (global_min, global_mean, global_max)
MLIFA_MODES = ("conv", "pool")


class MGIFA(nn.Module):
    r"""Multimodal global information fusion attention (eq. 6).

    For each global pooling (minimum, average, maximum) the descriptors are summed over the modalities, passed through
    the fully connected layer :math:`f_{pool}` with a sigmoid, and the three results are added.

    Args:
        channels: C, equal in every modality.
        shared: One :math:`f_{pool}` for the three poolings (released layer) or one for each.
        reduction: r; with r > 1 each :math:`f_{pool}` is a bottleneck C -> C // r -> C (an extension).
    """

    def __init__(self, channels: int, shared: bool = True, reduction: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.f_pool = nn.ModuleList([_dense(channels, reduction) for _ in range(1 if shared else len(POOLS))])
        glorot_init(self)

    def forward(self, xs: Sequence[Tensor | None], masks: Sequence[Tensor | None]) -> Tensor:
        """``m x [B, C, H, W] -> [B, C]``, values in (0, 3); H and W may differ between modalities."""
        _check_maps("MGIFA", xs, len(masks), self.channels)
        summed = [sum_present([x if x is None else pool(x) for x in xs], masks) for pool in POOLS]
        if len(self.f_pool) == 1:
            joined = self.f_pool[0](torch.stack(summed))
        else:
            joined = torch.stack([layer(each) for layer, each in zip(self.f_pool, summed, strict=True)])
        return torch.sigmoid(joined).sum(0)


class MLIFA(nn.Module):
    r"""Multimodal local information fusion attention (eq. 7).

    ``mode="conv"`` (released layer): a 1x1 convolution with sigmoid per modality, then minimum, average and maximum
    over all positions, summed over modalities and poolings; values in (0, 3m).
    ``mode="pool"`` (eq. 7 read literally): k x k pooling with stride k, summed over modalities, a fully connected
    layer with sigmoid shared by positions and poolings, averaged over positions; values in (0, 3). It needs equal
    height and width in all modalities. The paper names no k; 2 is our choice.

    Args:
        channels: C, equal in every modality.
        modalities: m.
        mode: ``"conv"`` or ``"pool"``.
        kernel: k in pixels, for ``mode="pool"``.
        reduction: r; with r > 1 the inner width is C // r and a further layer expands to C (an extension).
    """

    def __init__(self, channels: int, modalities: int, mode: str = "conv", kernel: int = 2, reduction: int = 1) -> None:
        super().__init__()
        if mode not in MLIFA_MODES:
            raise DrifaError(f"MLIFA: mode={mode!r} is not known{suggest(mode, MLIFA_MODES)}")
        self.channels, self.modalities, self.mode, self.kernel = channels, modalities, mode, kernel
        inner = inner_channels(channels, reduction)
        self.expand: nn.ModuleList | None = None
        if mode == "conv":
            self.convs = nn.ModuleList([nn.Conv2d(channels, inner, 1) for _ in range(modalities)])
            if reduction > 1:
                self.expand = nn.ModuleList([nn.Linear(inner, channels) for _ in range(modalities)])
        else:
            self.f_pool = _dense(channels, reduction)
        glorot_init(self)

    def forward(self, xs: Sequence[Tensor | None], masks: Sequence[Tensor | None]) -> Tensor:
        """``m x [B, C, H, W] -> [B, C]``."""
        _check_maps("MLIFA", xs, self.modalities, self.channels)
        return self._convolved(xs, masks) if self.mode == "conv" else self._pooled(xs, masks)

    def _convolved(self, xs: Sequence[Tensor | None], masks: Sequence[Tensor | None]) -> Tensor:
        descriptors: list[Tensor | None] = []
        for i, x in enumerate(xs):
            if x is None:
                descriptors.append(None)
                continue
            if way_of("auto", x, [self.convs[i]]) == "tiled":
                descriptor = pooled_local(x, self.convs[i])
            else:
                local = torch.sigmoid(pointwise(self.convs[i], x))
                descriptor = torch.stack([pool(local) for pool in POOLS]).sum(0)
            if self.expand is not None:
                descriptor = len(POOLS) * torch.sigmoid(self.expand[i](descriptor))
            descriptors.append(descriptor)
        return sum_present(descriptors, masks)

    def _pooled(self, xs: Sequence[Tensor | None], masks: Sequence[Tensor | None]) -> Tensor:
        sizes = {tuple(x.shape[2:]) for x in xs if x is not None}
        if len(sizes) > 1:
            raise DrifaError(f"MLIFA(mode='pool') needs maps of one size, not {sorted(sizes)}; use mode='conv'")
        k = min(self.kernel, *next(iter(sizes)))
        total = []
        for pool in (lambda x: -F.max_pool2d(-x, k), lambda x: F.avg_pool2d(x, k), lambda x: F.max_pool2d(x, k)):
            summed = sum_present([x if x is None else pool(x) for x in xs], masks)
            total.append(torch.sigmoid(self.f_pool(summed.movedim(1, -1))).mean(dim=(1, 2)))
        return torch.stack(total).sum(0)


class MIFA(nn.Module):
    r"""Multimodal information fusion attention: :math:`X^S_i = X_i \otimes A \otimes \omega_{c,i}` (eq. 5) with one
    :math:`A = \sigma(g'\,\omega_d + l'\,\omega_l)` for all modalities (eq. 8).

    With the defaults it holds :math:`(1+m)(C^2+C) + 1 + C + mC` parameters, and :math:`A \in (0.5, \sigma(3+3m))`
    while every :math:`\omega` is 1.

    Args:
        channels: C, equal in every modality.
        modalities: m >= 1.
        mgifa: Use the global branch (Table 5).
        mlifa: Use the local branch (Table 5).
        omega_d: Learn the scalar weight of the global branch (Table 6); fixed to 1 otherwise.
        omega_l: Learn the per-channel weight of the local branch (Table 6); fixed to 1 otherwise.
        omega_c: Learn the per-channel output scale of each modality (Table 6); fixed to 1 otherwise.
        mlifa_mode: ``"conv"`` (released layers) or ``"pool"`` (eq. 7 literally), see :class:`MLIFA`.
        shared_f_pool: One fully connected layer for the three global poolings (released layers) or three.
        normalise: Divide :math:`g'` by 3 and :math:`l'` by 3 times the number of modalities present, which keeps the
            outer sigmoid out of saturation when m grows (an extension). ``mlifa_mode="pool"`` divides by 3 alone.
        reduction: r, inner width C // r; 1 is the paper.
        start: ``"paper"`` or ``"identity"``, as in :class:`~drifa.MFA`.

    Shape:
        - xs: m tensors ``[B, C, H_i, W_i]``; ``None`` for a modality that no row of the batch has.
        - present: bool ``[B, m]``, or ``None`` when every row has every modality that is not ``None``.
        - output: as xs. Absent rows are zeros, and what stands in them has no influence on anything else.

    Raises:
        DrifaError: If both branches are off, a choice is unknown, or the number or channels of the inputs do not fit.

    Examples:
        Maps of different sizes; the second row has no second modality.

        >>> import torch
        >>> mifa = MIFA(8, modalities=2)
        >>> photo, scan = torch.rand(2, 8, 5, 5), torch.rand(2, 8, 3, 4)
        >>> present = torch.tensor([[True, True], [True, False]])
        >>> [tuple(y.shape) for y in mifa([photo, scan], present)]
        [(2, 8, 5, 5), (2, 8, 3, 4)]
        >>> int(mifa([photo, scan], present)[1][1].count_nonzero())
        0
    """

    def __init__(
        self,
        channels: int,
        modalities: int,
        *,
        mgifa: bool = True,
        mlifa: bool = True,
        omega_d: bool = True,
        omega_l: bool = True,
        omega_c: bool = True,
        mlifa_mode: str = "conv",
        shared_f_pool: bool = True,
        normalise: bool = False,
        reduction: int = 1,
        start: str = "paper",
    ) -> None:
        super().__init__()
        if not (mgifa or mlifa):
            raise DrifaError("MIFA: mgifa=False and mlifa=False leave nothing to compute; leave the module out with mifa=False")
        if not isinstance(modalities, int):
            raise DrifaError(f"MIFA: modalities={modalities!r} is not a whole number; give how many there are")
        if modalities < 1:
            raise DrifaError(f"MIFA: modalities={modalities}; at least one is needed")
        self.channels, self.modalities, self.normalise = channels, modalities, normalise
        self.mgifa = MGIFA(channels, shared_f_pool, reduction) if mgifa else None
        self.mlifa = MLIFA(channels, modalities, mlifa_mode, reduction=reduction) if mlifa else None
        self.omega_d = nn.Parameter(torch.ones(1)) if mgifa and omega_d else None
        self.omega_l = nn.Parameter(torch.ones(channels)) if mlifa and omega_l else None
        self.omega_c = nn.Parameter(torch.ones(modalities, channels)) if omega_c else None
        self.gate = nn.Identity()  # A passes through it, for hooks
        begin(self, start, {"omega_d": mgifa, "omega_l": mlifa, "omega_c": True})

    def attention(self, xs: Sequence[Tensor | None], present: Tensor | None = None) -> Tensor:
        """The shared attention A of eq. 8. Inputs as in the class; returns ``[B, C]``, values in (0, 1)."""
        self._check(xs, present)
        masks = [None if present is None else present[:, i] for i in range(self.modalities)]
        g = None if self.mgifa is None else self.mgifa(xs, masks)
        local = None if self.mlifa is None else self.mlifa(xs, masks)
        if self.normalise:
            g = None if g is None else g / len(POOLS)
            if local is not None and self.mlifa is not None:
                count = self._count(xs, present, local) if self.mlifa.mode == "conv" else 1
                local = local / (len(POOLS) * count)
        shared: Tensor = self.gate(torch.sigmoid(gated_sum([(g, self.omega_d), (local, self.omega_l)])))
        return shared

    def forward(self, xs: Sequence[Tensor | None], present: Tensor | None = None) -> list[Tensor | None]:
        shared = self.attention(xs, present)
        output: list[Tensor | None] = []
        for i, x in enumerate(xs):
            if x is None:
                output.append(None)
                continue
            scale = shared if self.omega_c is None else shared * self.omega_c[i]
            y = x * scale[:, :, None, None]
            output.append(y if present is None else torch.where(present[:, i, None, None, None], y, 0))
        return output

    def _check(self, xs: Sequence[Tensor | None], present: Tensor | None) -> None:
        _check_maps("MIFA", xs, self.modalities, self.channels)
        batch = next(x.shape[0] for x in xs if x is not None)
        sizes = [x.shape[0] for x in xs if x is not None]
        if any(size != batch for size in sizes):  # a set of them would fix the number of rows where this is compiled
            raise DrifaError(f"MIFA got maps of {' and '.join(map(str, sizes))} rows; give as many in every modality")
        if present is None:
            return
        if not isinstance(present, Tensor):
            raise DrifaError(
                f"MIFA: present must be a bool tensor [{batch}, {self.modalities}], not a {type(present).__name__}"
            )
        if present.dtype != torch.bool or tuple(present.shape) != (batch, self.modalities):
            raise DrifaError(
                f"MIFA: present must be bool [{batch}, {self.modalities}], not {present.dtype} {tuple(present.shape)}"
            )

    def _count(self, xs: Sequence[Tensor | None], present: Tensor | None, like: Tensor) -> Tensor:
        columns = [
            like.new_zeros(like.shape[0]) if x is None else like.new_ones(like.shape[0]) if present is None else present[:, i]
            for i, x in enumerate(xs)
        ]
        return torch.stack([column.to(like.dtype) for column in columns]).sum(0).clamp_min(1)[:, None]

    def extra_repr(self) -> str:
        return f"channels={self.channels}, modalities={self.modalities}, normalise={self.normalise}"


def _check_maps(who: str, xs: object, modalities: int, channels: int) -> None:
    """Refuses what is no list of one map per modality, at least one of them there."""
    if not isinstance(xs, Sequence):
        raise DrifaError(f"{who} reads a list of {modalities} maps, in the order of the modalities, not a {type(xs).__name__}")
    if len(xs) != modalities:
        raise DrifaError(f"{who} was built for {modalities} modalities and got {len(xs)} inputs")
    for i, x in enumerate(xs):
        if x is not None:
            check_map(f"{who}: input {i}", x, channels)
    if all(x is None for x in xs):
        raise DrifaError(f"{who}: every modality is absent; at least one input is needed")


def _dense(channels: int, reduction: int) -> nn.Module:
    if reduction == 1:
        return nn.Linear(channels, channels)
    inner = inner_channels(channels, reduction)
    return nn.Sequential(nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels))
