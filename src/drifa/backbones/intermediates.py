"""A whole encoder as the branch of a modality: nothing inside it is changed, its maps are attended on their way out.

timm's ``forward_intermediates`` gives the maps that a network passes, also of those that cannot be cut: vision transformers,
foundation encoders, networks of parallel resolutions. Tokens come as maps, class and register tokens are left out.
"""

from __future__ import annotations

import inspect
import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn

from drifa.backbones.cut import FAILURES, StageInfo, check_arguments, check_backbone, native_size, run_blank, unbuildable
from drifa.backbones.pooled import mean_to
from drifa.backbones.sizes import ImageSizes
from drifa.backbones.weights import input_normalisation, load_pretrained
from drifa.errors import DrifaError
from drifa.present import is_recorded, keep, run_rows, spread

#: Maps of an encoder that keeps one resolution, as vision transformers do.
LEVELS = 4
# What timm's networks of a fixed grid take to be given images of any size.
_ANY_SIZE = {"dynamic_img_size": True, "dynamic_img_pad": True}
# Sizes of the blank image, pixels, that shows what an encoder gives; behind them stands its own size, which may be a large one.
_BLANK = (64, 128, 192, 224, 256)


class Encoder(nn.Module):
    """A timm network that gives the maps of some of its levels.

    Args:
        model: The network.
        indices: Which of the maps that it offers, ascending; ``None`` = all.
        norm: Whether its last normalisation is applied to the maps, as it is to what the network itself gives.

    Shape:
        ``[B, C_in, H, W]`` -> per level ``[B, C_k, H_k, W_k]``.
    """

    def __init__(self, model: nn.Module, indices: Sequence[int] | None, norm: bool) -> None:
        super().__init__()
        self.model, self.indices, self.norm = model, None if indices is None else list(indices), norm

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.model.forward_intermediates(  # type: ignore[operator]
            images, indices=self.indices, norm=self.norm, intermediates_only=True
        )
        return list(maps)


class Carry(nn.Module):
    """Adds to a map what the level before has become, pooled to its size and projected to its channels.

    The projection starts at zero, so that a network begins with the encoder's own maps.

    Shape:
        ``[B, C, H, W]`` and ``[B, C', H', W']`` -> ``[B, C, H, W]``.
    """

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(before, channels, 1, bias=False)
        nn.init.zeros_(self.project.weight)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        if before.shape[2:] != x.shape[2:]:
            before = mean_to(before, x.shape[2], x.shape[3])
        return x + self.project(before)


class EncoderBranch(nn.Module):
    """The backbone of one modality as a whole encoder, with MFA on the map of every level.

    Args:
        backbone: timm name.
        in_channels: Channels of the modality's images.
        make_mfa: ``channels -> module``, or ``None`` for a plain encoder.
        pretrained: As in :class:`~drifa.backbones.Branch`.
        arguments: Further arguments of ``timm.create_model``. ``out_indices`` lists which of the maps that timm offers are
            the levels; by default the last one of each resolution, or four evenly spaced where there is but one.
        whole: Refuse pretrained weights that lack tensors, as a frozen encoder would keep those random.

    Attributes:
        encoder: ``images -> K maps``.
        carry: K - 1 modules that bring the fused map of a level to the next.
        refine: K modules: the MFA of each level, or Identity.
        infos, sizes, loaded, normalisation: As in :class:`~drifa.backbones.Branch`.

    Examples:
        >>> import torch
        >>> branch = EncoderBranch("test_vit", in_channels=3).eval()
        >>> [(info.name, info.channels, info.reduction) for info in branch.infos][-1]
        ('blocks.5', 64, 16)
        >>> [tuple(x.shape) for x in branch.encode(torch.rand(2, 3, 96, 64))][-1]
        (2, 64, 6, 4)
    """

    def __init__(
        self,
        backbone: str,
        in_channels: int,
        make_mfa: Callable[[int], nn.Module] | None = None,
        pretrained: bool | str = False,
        arguments: dict[str, Any] | None = None,
        whole: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.frozen = in_channels, False
        model, indices = build_encoder(backbone, in_channels, arguments)
        self.loaded: str | None = None
        self.normalisation: tuple[list[float], list[float]] | None = None
        if pretrained:
            plain = {key: value for key, value in (arguments or {}).items() if key != "out_indices"}
            self.loaded = load_pretrained(model, backbone, in_channels, pretrained, plain, whole)
            self.normalisation, words = input_normalisation(backbone, in_channels, pretrained)
            self.loaded += f"; {words}"
        native = native_size(backbone, arguments)
        self.encoder, self.infos = levels(model, indices, backbone, in_channels, native)
        self.sizes = ImageSizes(backbone, in_channels, max(info.reduction for info in self.infos), native)
        self.refine = nn.ModuleList(nn.Identity() if make_mfa is None else make_mfa(info.channels) for info in self.infos)
        self._connect()

    def _connect(self) -> None:
        channels = [info.channels for info in self.infos]
        self.carry = nn.ModuleList(Carry(before, after) for before, after in itertools.pairwise(channels))

    def check_size(self, height: int, width: int, modality: str) -> None:
        """Refuses images that the encoder cannot take, with the size that it needs, in pixels."""
        self.sizes.check(nn.ModuleList([self.encoder]), height, width, modality)

    def freeze(self) -> None:
        """Keeps the encoder as it is: no gradient, and evaluation mode in training as well; what stands behind it learns."""
        self.frozen = True
        self.encoder.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> EncoderBranch:
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def keep_last(self, count: int) -> None:
        """Leaves the first levels out, all but the last ``count``."""
        if count < len(self.infos):
            self.encoder.indices = (self.encoder.indices or [])[-count:]
            self.infos, self.refine = self.infos[-count:], self.refine[-count:]
            self._connect()

    def encode(self, images: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """The encoder's own maps.

        Args:
            images: ``[B, C, H, W]``.
            mask: bool ``[B]``, the rows that have images; ``None`` = all.

        Returns:
            Per level ``[B, C_k, H_k, W_k]``, zeros in the other rows.
        """
        if is_recorded():  # as run_present does
            return [keep(x, mask) for x in self.encoder(images)]
        if mask is None or bool(mask.all()):
            return self.encoder(images)
        rows = mask.nonzero().squeeze(1)
        maps = run_rows(self.encoder, images[rows])
        return [spread(x, rows, images.shape[0]) for x in maps]

    def join(self, level: int, x: Tensor, before: Tensor | None, mask: Tensor | None) -> Tensor:
        """The map of a level with what the level before has become; zeros in the rows that the mask leaves out."""
        return keep(x if level == 0 or before is None else self.carry[level - 1](x, before), mask)


def build_encoder(
    backbone: str, in_channels: int, arguments: dict[str, Any] | None = None
) -> tuple[nn.Module, list[int] | None]:
    """The whole timm network of that name, randomly initialised, ready for images of any size where timm offers that.

    Returns:
        The network without its classifier, and ``out_indices`` as it stands in the arguments.

    Raises:
        DrifaError: For an unknown name (near names are listed) or arguments that the network does not take.
    """
    check_backbone(backbone)
    check_arguments(backbone, arguments)
    arguments = dict(arguments or {})
    indices = arguments.pop("out_indices", None)
    if indices is not None and not (
        isinstance(indices, list | tuple) and indices and all(type(index) is int for index in indices)
    ):
        raise DrifaError(f"backbone_args: out_indices={indices!r} is not a list of map numbers, such as [2, 5, 8, 11]")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.device("meta"):
                kind = type(timm.create_model(backbone, num_classes=0))
            any_size = {key: value for key, value in _ANY_SIZE.items() if key in _known(kind)}
            model = timm.create_model(backbone, num_classes=0, in_chans=in_channels, **{**any_size, **arguments})
    except FAILURES as error:
        raise unbuildable(backbone, arguments, error) from error
    if not hasattr(model, "forward_intermediates"):
        raise DrifaError(f"backbone {backbone!r} does not give its intermediate maps in timm; take another, or attach='stages'")
    return model, None if indices is None else list(indices)


def _known(kind: type) -> set[str]:
    """The arguments of a class, and those of its bases that it hands on."""
    found: set[str] = set()
    for part in kind.__mro__:
        parameters = inspect.signature(part.__init__).parameters  # type: ignore[misc]
        found |= set(parameters)
        if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    return found


def levels(
    model: nn.Module, indices: Sequence[int] | None, backbone: str, in_channels: int, native: int | None
) -> tuple[Encoder, list[StageInfo]]:
    """The network as an encoder of some levels, rid of what none of them needs, and what each of them gives.

    Args:
        model: From :func:`build_encoder`.
        indices: The levels; ``None`` = as :func:`last_maps` chooses them.
        backbone: Name, for messages.
        in_channels: Channels of the images.
        native: From :func:`~drifa.backbones.cut.native_size`.

    Raises:
        DrifaError: If the network gives no maps, or lacks one of the indices.
    """
    maps, size, norm = _all_maps(model, backbone, in_channels, native)
    count = len(maps)
    if indices is None:
        chosen = last_maps([tuple(x.shape[2:]) for x in maps])
    else:
        for index in indices:
            if not -count <= index < count:
                raise DrifaError(f"backbone_args: out_indices names map {index}; backbone {backbone!r} has 0 … {count - 1}")
        chosen = sorted({index % count for index in indices})
    model.prune_intermediate_layers(list(chosen), prune_norm=not norm, prune_head=True)  # type: ignore[operator]
    known = list(getattr(model, "feature_info", None) or [])
    names = [str(known[k]["module"]) if len(known) == count else f"map_{k}" for k in chosen]
    infos = [
        StageInfo(name, maps[k].shape[1], 2 ** round(math.log2(size / maps[k].shape[3])), True)
        for name, k in zip(names, chosen, strict=True)
    ]
    return Encoder(model, chosen, norm), infos


def last_maps(sizes: Sequence[tuple[int, ...]]) -> list[int]:
    """The last map of each resolution; where there is but one, four evenly spaced, the last one among them.

    Args:
        sizes: Height and width of every map.
    """
    ends = [k for k, size in enumerate(sizes) if k + 1 == len(sizes) or sizes[k + 1] != size]
    if len(ends) > 1:
        return ends
    wanted = min(LEVELS, len(sizes))
    return [len(sizes) * (k + 1) // wanted - 1 for k in range(wanted)]


def _all_maps(model: nn.Module, backbone: str, in_channels: int, native: int | None) -> tuple[list[Tensor], int, bool]:
    """All maps of a blank image of the first size that works, that size, and whether they can be normalised."""
    failure: Exception | None = None
    for size in (*_BLANK, *([native] if native else [])):
        for norm in (True, False):  # some have no normalisation for maps
            try:
                maps = run_blank([Encoder(model, None, norm)], in_channels, size, size)[0]
                if maps and all(isinstance(x, Tensor) and x.ndim == 4 for x in maps):
                    return list(maps), size, norm
                failure = TypeError("its intermediates are no maps")
            except FAILURES as error:
                failure = error
    reason = str(failure) or type(failure).__name__
    raise DrifaError(f"backbone {backbone!r} does not give its intermediate maps ({reason}); take another") from failure
