"""MFA: multi-branch fusion attention inside one modality (eqs. 1-4).

Paper: Dhar et al., "Multimodal Fusion Learning with Dual Attention for Medical Imaging", WACV 2025,
https://arxiv.org/abs/2412.01248. Where the paper leaves a choice open, the default is the layer that the authors
released; the paper-literal reading is an option of the same class.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from drifa.attention.implementation import check_implementation, implementation, pointwise, way_of
from drifa.attention.kernels import pooled, rescaled
from drifa.attention.pooling import global_max, global_mean
from drifa.attention.rows import pooled_rows
from drifa.errors import DrifaError, suggest
from drifa.rescaled import remember

HIFA_FUSE = ("add", "concat")
STARTS = ("paper", "identity")


class HIFA(nn.Module):
    r"""Hierarchical information fusion attention: local information at four depths (eqs. 1-2).

    Four 1x1 convolutions :math:`\psi`, each followed by a sigmoid, feed alternating global average and maximum pooling:

    .. math::
        \Pi = \psi_0(x),\ \lambda_1 = \psi_1(\Pi),\ \lambda_2 = \psi_2(\Pi + \lambda_1),\ \lambda_3 = \psi_3(\lambda_2)

    Args:
        channels: C, the number of channels of the input.
        fuse: How neighbouring descriptors are joined before the fully connected layer. ``"add"`` is the released
            layer, :math:`f[l_0 + l_1; l_2 + l_3]`; ``"concat"`` is eq. 2 read literally, :math:`f[l_0; l_1; l_2; l_3]`.
        reduction: r, the inner width is C // r. 1 is the paper; larger values make wide networks affordable.

    Shape:
        ``[B, C, H, W] -> [B, C]``, values in (0, 1).
    """

    def __init__(self, channels: int, fuse: str = "add", reduction: int = 1) -> None:
        super().__init__()
        if fuse not in HIFA_FUSE:
            raise DrifaError(f"HIFA: fuse={fuse!r} is not known{suggest(fuse, HIFA_FUSE)}")
        inner = inner_channels(channels, reduction)
        self.channels, self.fuse = channels, fuse
        self.convs = nn.ModuleList([nn.Conv2d(channels if p == 0 else inner, inner, 1) for p in range(4)])
        self.fc = nn.Linear((2 if fuse == "add" else 4) * inner, channels)
        glorot_init(self)

    def forward(self, x: Tensor) -> Tensor:
        check_map("HIFA", x, self.channels)
        return self.join(self.pooled(x))

    def pooled(self, x: Tensor) -> tuple[Tensor, ...]:
        """The four descriptors of eq. 1, from whole maps; :mod:`drifa.attention.kernels` computes them by tiles."""
        psi = self.convs
        features = torch.sigmoid(pointwise(psi[0], x))  # Pi
        lambda_1 = torch.sigmoid(pointwise(psi[1], features))
        lambda_2 = torch.sigmoid(pointwise(psi[2], features + lambda_1))
        lambda_3 = torch.sigmoid(pointwise(psi[3], lambda_2))
        l_0, l_1 = global_mean(features), global_max(lambda_1)  # eq. 1: beta, gamma alternate
        l_2, l_3 = global_mean(lambda_2), global_max(lambda_3)
        return l_0, l_1, l_2, l_3

    def join(self, descriptors: tuple[Tensor, ...]) -> Tensor:
        """Eq. 2 on the four descriptors. ``4 x [B, C // r] -> [B, C]``."""
        l_0, l_1, l_2, l_3 = descriptors
        parts = (l_0 + l_1, l_2 + l_3) if self.fuse == "add" else (l_0, l_1, l_2, l_3)
        return torch.sigmoid(self.fc(torch.cat(parts, dim=1)))  # eq. 2: d_hat


class CLIA(nn.Module):
    r"""Channel-wise local information attention (eq. 3).

    :math:`\hat l = \delta(\eta_1) + \eta_2` with :math:`\eta_1 = \sigma(\psi_1(x))` and
    :math:`\eta_2 = \sigma(\psi_2(\delta(\eta_1)))`, where :math:`\delta` is global average pooling.

    Args:
        channels: C, the number of channels of the input.
        reduction: r, the inner width is C // r. With r > 1 a third layer expands back to C channels (an extension).

    Shape:
        ``[B, C, H, W] -> [B, C]``, values in (0, 2).
    """

    def __init__(self, channels: int, reduction: int = 1) -> None:
        super().__init__()
        inner = inner_channels(channels, reduction)
        self.channels = channels
        self.conv1 = nn.Conv2d(channels, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 1)
        self.expand = nn.Linear(inner, channels) if reduction > 1 else None
        glorot_init(self)

    def forward(self, x: Tensor) -> Tensor:
        check_map("CLIA", x, self.channels)
        return self.refine(self.compressed(x))

    def compressed(self, x: Tensor) -> Tensor:
        """The mean of eta_1, from a whole map; :mod:`drifa.attention.kernels` computes it by tiles."""
        return global_mean(torch.sigmoid(pointwise(self.conv1, x)))

    def refine(self, compressed: Tensor) -> Tensor:
        """The rest of eq. 3. ``[B, C // r] -> [B, C]``."""
        refined = torch.sigmoid(pointwise(self.conv2, compressed[:, :, None, None])).flatten(1)
        local = compressed + refined
        return local if self.expand is None else 2 * torch.sigmoid(self.expand(local))


class MFA(nn.Module):
    r"""Multi-branch fusion attention: :math:`x' = x \otimes a \otimes \omega_c`,
    :math:`a = \sigma(\hat d\,\omega_d + \hat l\,\omega_l)` (eq. 4).

    With the defaults it holds :math:`8C^2 + 9C + 1` parameters and :math:`a \in (0.5, \sigma(3))` while every
    :math:`\omega` is 1. Every switch below is a row of an ablation table.

    Args:
        channels: C, the number of channels of the input.
        hifa: Use the hierarchical branch (Table 5).
        clia: Use the channel-wise branch (Table 5).
        omega_d: Learn the scalar weight of the hierarchical branch (Table 6); fixed to 1 otherwise.
        omega_l: Learn the per-channel weight of the channel-wise branch (Table 6); fixed to 1 otherwise.
        omega_c: Learn the per-channel scale of the output (Table 6); fixed to 1 otherwise.
        hifa_fuse: ``"add"`` (released layers) or ``"concat"`` (eq. 2 literally), see :class:`HIFA`.
        reduction: r, inner width C // r; 1 is the paper.
        start: ``"paper"``: every :math:`\omega` starts at 1. ``"identity"``: those of the branches start at 0 and that of the
            output at 2, so that the module begins as x -> x, exactly, and learns from there (an extension): gates near 0.82
            in front of a BatchNorm with ready statistics disturb a pretrained network.
        implementation: ``"reference"`` computes whole maps, as the equations read; ``"tiled"`` computes the same by tiles
            of pixels and keeps no map for the backward pass (:mod:`drifa.attention.kernels`); ``"auto"`` takes the tiles
            for large maps, and for small ones matrix products over all pixels (:mod:`drifa.attention.rows`). Both are for
            tensors on a CPU in float32 or float64: under autocast, in programs that are compiled, traced or exported, and with
            hooks on the inner convolutions the reference runs in any case.

    Shape:
        ``[B, C, H, W] -> [B, C, H, W]``

    Raises:
        DrifaError: If both branches are off, or a choice is unknown.

    Examples:
        >>> import torch
        >>> mfa = MFA(8)
        >>> mfa(torch.rand(2, 8, 5, 5)).shape
        torch.Size([2, 8, 5, 5])
        >>> mfa.attention(torch.rand(2, 8, 5, 5)).shape
        torch.Size([2, 8])
        >>> sum(parameter.numel() for parameter in mfa.parameters()) == 8 * 8**2 + 9 * 8 + 1
        True
    """

    def __init__(
        self,
        channels: int,
        *,
        hifa: bool = True,
        clia: bool = True,
        omega_d: bool = True,
        omega_l: bool = True,
        omega_c: bool = True,
        hifa_fuse: str = "add",
        reduction: int = 1,
        start: str = "paper",
        implementation: str = "auto",
    ) -> None:
        super().__init__()
        check_implementation(implementation)
        if not (hifa or clia):
            raise DrifaError("MFA: hifa=False and clia=False leave nothing to compute; leave the module out with mfa=False")
        self.channels = channels
        self.implementation = implementation
        self.hifa = HIFA(channels, hifa_fuse, reduction) if hifa else None
        self.clia = CLIA(channels, reduction) if clia else None
        self.omega_d = nn.Parameter(torch.ones(1)) if hifa and omega_d else None
        self.omega_l = nn.Parameter(torch.ones(channels)) if clia and omega_l else None
        self.omega_c = nn.Parameter(torch.ones(channels)) if omega_c else None
        self.gate = nn.Identity()  # a passes through it, for hooks
        begin(self, start, {"omega_d": hifa, "omega_l": clia, "omega_c": True})

    def attention(self, x: Tensor) -> Tensor:
        """The attention a of eq. 4. ``[B, C, H, W] -> [B, C]``, values in (0, 1)."""
        return self._attend(x)[1]

    def forward(self, x: Tensor) -> Tensor:
        tiled, scale = self._attend(x)
        if self.omega_c is not None:
            scale = scale * self.omega_c
        if tiled is None:
            return remember(x * scale[:, :, None, None], x, scale)
        return remember(rescaled(tiled, scale), tiled, scale)

    def _attend(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """The attention, and before it what is to be multiplied if the tiles have computed it."""
        check_map("MFA", x, self.channels)
        hifa, clia = self.hifa, self.clia
        convs = [*([] if hifa is None else hifa.convs), *([] if clia is None else [clia.conv1])]
        way = way_of(self.implementation, x, convs)
        if way != "reference":
            tiled, pools = (pooled if way == "tiled" else pooled_rows)(x, convs, hifa is not None)
            hierarchical = None if hifa is None else hifa.join(pools.hifa)
            channelwise = None if clia is None else clia.refine(*pools.clia)
        else:
            tiled = None
            with implementation("reference") if self.implementation == "reference" else nullcontext():
                hierarchical = None if hifa is None else hifa(x)
                channelwise = None if clia is None else clia(x)
        return tiled, self.gate(torch.sigmoid(gated_sum([(hierarchical, self.omega_d), (channelwise, self.omega_l)])))

    def extra_repr(self) -> str:
        return f"channels={self.channels}"


def begin(module: nn.Module, start: str, weights: Mapping[str, bool]) -> None:
    r"""Sets where the weights of an attention start.

    With silent branches the outer sigmoid is one half whatever the input, which twice is 1. The branches learn at once: the
    gradient of a weight does not depend on the weight.

    Args:
        module: MFA or MIFA.
        start: One of :data:`STARTS`.
        weights: Name of each :math:`\omega` -> whether there is something that it weighs.
    """
    if start not in STARTS:
        raise DrifaError(f"{type(module).__name__}: start={start!r} is not known{suggest(start, STARTS)}")
    if start == "paper":
        return
    for name, used in weights.items():
        weight = getattr(module, name)
        if used and weight is None:
            raise DrifaError(
                f"{type(module).__name__}: start='identity' needs a {name} to start from, and {name}=False fixes it to 1; "
                f"leave one of the two out"
            )
        if used:
            nn.init.constant_(weight, 2.0 if name == "omega_c" else 0.0)


def gated_sum(terms: list[tuple[Tensor | None, Tensor | None]]) -> Tensor:
    """The sum of ``value * weight`` over the pairs whose value exists; a missing weight counts as 1."""
    values = [value if weight is None else value * weight for value, weight in terms if value is not None]
    return values[0] + values[1] if len(values) > 1 else values[0]


def check_map(who: str, x: object, channels: int) -> None:
    """Refuses what is no map of so many channels.

    Args:
        who: The module, for the error.
        x: ``[B, C, H, W]``.
        channels: C.
    """
    if not isinstance(x, Tensor):
        raise DrifaError(f"{who} reads a tensor [B, {channels}, H, W], not a {type(x).__name__}")
    if x.ndim != 4 or x.shape[1] != channels:
        raise DrifaError(f"{who} got a tensor of shape {tuple(x.shape)}; [B, {channels}, H, W] is needed")
    if not x.is_floating_point():
        raise DrifaError(f"{who} got numbers of {str(x.dtype)[6:]}; give floats, such as x.float()")


def inner_channels(channels: int, reduction: int) -> int:
    """C // r, refused where it would be empty."""
    if not isinstance(channels, int):
        raise DrifaError(f"channels={channels!r} is not a whole number; give the number of channels of the maps")
    if not isinstance(reduction, int):
        raise DrifaError(f"reduction={reduction!r} is not a whole number; 1 is the paper, 16 suits wide networks")
    if channels < 1 or reduction < 1 or channels // reduction < 1:
        raise DrifaError(
            f"channels={channels} with reduction={reduction} leaves no inner channel; take 1 <= reduction <= {channels}"
        )
    return channels // reduction


def glorot_init(module: nn.Module) -> None:
    """Glorot-uniform weights and zero biases, as the released (Keras) layers start."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
