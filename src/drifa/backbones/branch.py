"""The branch of one modality: a backbone cut into stages, with MFA attached (RRA blocks when it is a ResNet)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from drifa.backbones.cut import StageInfo, cut, native_size, timm_features
from drifa.backbones.max_pool import quicken_pools
from drifa.backbones.sizes import ImageSizes
from drifa.backbones.weights import input_normalisation, load_pretrained
from drifa.errors import DrifaError, suggest
from drifa.rescaled import give, has_hooks, rescaled_norms

MFA_AT = ("conv", "block", "stage")
# Paths that belong to a shortcut: the paper's RRA block has no MFA there.
_SHORTCUT_NAMES = ("downsample", "shortcut", "conv_skip", "skip")


class ConvMFA(nn.Module):
    """A convolution followed by MFA: what replaces each spatial convolution of the main path."""

    def __init__(self, conv: nn.Module, mfa: nn.Module) -> None:
        super().__init__()
        self.conv = conv
        self.mfa = mfa

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.mfa(y) if has_hooks(self.conv) else give(self.mfa, y)


class Branch(nn.Module):
    """The backbone of one modality as a list of stages.

    Args:
        backbone: timm name.
        in_channels: Channels of the modality's images.
        make_mfa: ``channels -> module``, or ``None`` for a plain backbone.
        mfa_at: ``"conv"`` (the paper: after every spatial convolution of the main path, and once more after each
            block but the last), ``"block"`` (once after every block) or ``"stage"`` (after the last block of each
            resolution level).
        conv_bias: Give every convolution of the backbone a bias, as the authors' code has (timm has none before
            BatchNorm, where a bias has no effect).
        pretrained: ``False``, ``True`` (timm's default weights) or a path to a weights file.
        arguments: Further arguments of ``timm.create_model``, such as ``{"channels": [16, 32, 64, 128]}``.
        own_stem: Make the stem a stage of its own instead of a part of the first one.
        whole: Refuse pretrained weights that lack tensors, as a frozen backbone would keep those random.

    Attributes:
        stages: K modules, run in order: ``[B, C_in, H, W] -> … -> [B, C_K, H_K, W_K]``.
        refine: K modules: the MFA after each stage, or Identity.
        infos: K :class:`~drifa.backbones.StageInfo`.
        sizes: Which image sizes the branch takes.
        loaded: How many tensors of the pretrained file were used, as one sentence; ``None`` without one.
        normalisation: Mean and standard deviation of the images that its pretrained weights know; ``None`` without any.
        memory_format: How its images are laid out: channels last where convolutions are grouped, which takes a third off
            the time of a step on a CPU; dense ones gain nothing. Never where a strided 1×1 convolution reads fewer than 16
            channels: its backward pass would spoil the memory.

    Shape:
        ``[B, C_in, H, W] -> … -> [B, C_K, H_K, W_K]``. Stage by stage for ResNet18, of images ``[2, 3, 128, 128]``:

        - stem and block 1, block 2: ``[2, 64, 32, 32]``
        - blocks 3 and 4: ``[2, 128, 16, 16]``
        - blocks 5 and 6: ``[2, 256, 8, 8]``
        - blocks 7 and 8: ``[2, 512, 4, 4]``

        The maps after blocks 2, 4, 6 and 8 end a resolution level.

    Examples:
        >>> import torch
        >>> branch = Branch("resnet18", in_channels=3).eval()
        >>> [(info.channels, info.reduction, info.ends_level) for info in branch.infos][:4]
        [(64, 4, False), (64, 4, True), (128, 8, False), (128, 8, True)]
        >>> x = torch.rand(2, 3, 128, 128)
        >>> for stage, refine in zip(branch.stages, branch.refine):
        ...     x = refine(stage(x))
        ...     print(list(x.shape))
        [2, 64, 32, 32]
        [2, 64, 32, 32]
        [2, 128, 16, 16]
        [2, 128, 16, 16]
        [2, 256, 8, 8]
        [2, 256, 8, 8]
        [2, 512, 4, 4]
        [2, 512, 4, 4]
    """

    def __init__(
        self,
        backbone: str,
        in_channels: int,
        make_mfa: Callable[[int], nn.Module] | None = None,
        mfa_at: str = "conv",
        conv_bias: bool = False,
        pretrained: bool | str = False,
        arguments: dict[str, Any] | None = None,
        own_stem: bool = False,
        whole: bool = False,
    ) -> None:
        super().__init__()
        if mfa_at not in MFA_AT:
            raise DrifaError(f"mfa_at={mfa_at!r} is not known{suggest(mfa_at, MFA_AT)}")
        self.in_channels, self.frozen = in_channels, False
        features = timm_features(backbone, in_channels, arguments)
        self.loaded: str | None = None
        self.normalisation: tuple[list[float], list[float]] | None = None
        if pretrained:
            self.loaded = load_pretrained(features, backbone, in_channels, pretrained, arguments, whole)
            self.normalisation, words = input_normalisation(backbone, in_channels, pretrained)
            self.loaded += f"; {words}"
        native = native_size(backbone, arguments)
        stages, self.infos = cut(features, backbone, in_channels, own_stem=own_stem, native=native)
        self.sizes = ImageSizes(backbone, in_channels, self.infos[-1].reduction, native)
        self.stages = nn.ModuleList(stages)
        quicken_pools(self.stages)
        if conv_bias:
            _add_biases(self.stages)
        # The backbone's own parts, before anything is put between them; in a tuple they are not registered a second time.
        self._trunk = tuple(module for stage in self.stages for module in stage.modules() if module is not stage)
        self.refine = nn.ModuleList(nn.Identity() for _ in stages)
        if make_mfa is not None:
            self._attach(make_mfa, mfa_at)
        self.memory_format = _memory_format(self.stages)

    def check_size(self, height: int, width: int, modality: str) -> None:
        """Refuses images that the backbone cannot take, with the size that it needs, in pixels."""
        self.sizes.check(self.stages, height, width, modality)

    def freeze(self) -> None:
        """Keeps the backbone as it is: no gradient for it, and evaluation mode in training as well; MFA inside it learns."""
        self.frozen = True
        for module in self._trunk:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Branch:
        super().train(mode)
        if self.frozen:
            for module in self._trunk:
                module.training = False
        return self

    def merge(self, ends: Sequence[int]) -> None:
        """Joins stages into longer ones; the MFA between them stays in its place.

        Args:
            ends: The last stage of each of the new ones, ascending; the last entry is the last stage.
        """
        stages, refine, infos = [], [], []
        begin = 0
        for end in ends:
            inner = [part for k in range(begin, end) for part in (self.stages[k], self.refine[k])]
            stages.append(nn.Sequential(*inner, self.stages[end]))
            refine.append(self.refine[end])
            infos.append(StageInfo(self.infos[end].name, self.infos[end].channels, self.infos[end].reduction, True))
            begin = end + 1
        self.stages, self.refine, self.infos = nn.ModuleList(stages), nn.ModuleList(refine), infos

    def _attach(self, make_mfa: Callable[[int], nn.Module], mfa_at: str) -> None:
        if mfa_at == "conv":
            for stage in self.stages:
                _attend_convolutions(stage, make_mfa)
                rescaled_norms(stage)
        for k, info in enumerate(self.infos):
            wanted = {"conv": k + 1 < len(self.infos), "block": True, "stage": info.ends_level}[mfa_at]
            if wanted:
                self.refine[k] = make_mfa(info.channels)


def _attend_convolutions(module: nn.Module, make_mfa: Callable[[int], nn.Module]) -> None:
    for name, child in list(module.named_children()):
        if name in _SHORTCUT_NAMES:
            continue
        if isinstance(child, nn.Conv2d):
            if max(child.kernel_size) > 1:
                setattr(module, name, ConvMFA(child, make_mfa(child.out_channels)))
        else:
            _attend_convolutions(child, make_mfa)


def _memory_format(stages: nn.Module) -> torch.memory_format:
    convolutions = [module for module in stages.modules() if isinstance(module, nn.Conv2d)]
    if any(_overruns(conv) for conv in convolutions):
        return torch.contiguous_format
    return torch.channels_last if any(conv.groups > 1 for conv in convolutions) else torch.contiguous_format


def _overruns(conv: nn.Conv2d) -> bool:
    # Channels last, oneDNN 3.13 (its issue 6035) writes the gradient of these weights past its workspace.
    return conv.kernel_size == (1, 1) and max(conv.stride) > 1 and conv.groups == 1 and conv.in_channels < 16


def _add_biases(module: nn.Module) -> None:
    for child in module.modules():
        if isinstance(child, nn.Conv2d) and child.bias is None:
            child.bias = nn.Parameter(child.weight.new_zeros(child.out_channels))
