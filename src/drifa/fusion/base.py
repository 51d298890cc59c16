"""The contract between the branches and what couples them.

A fusion is a plain module. It is constructed with the channels of every stage, is called after each stage with one map per
modality, and turns the last maps into the vector that the task heads read, or into the maps that a decoder reads. Absent
modalities are ``None`` (absent in the whole batch) or rows of zeros that ``present`` marks; a fusion must not let them matter.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from drifa.attention.pooling import global_mean
from drifa.errors import DrifaError, suggest
from drifa.links import DEFAULT_LINK, LINKS, Link


@dataclass(frozen=True)
class FusionSpec:
    """What a fusion is built for.

    Attributes:
        modalities: Names, in the order of the columns of ``present``.
        channels: Per modality, the output channels of every stage.
        ends_level: Per stage, whether a resolution level ends there.
        tasks: Name -> number of outputs of its head.
        task_modalities: Name -> the modalities whose subjects carry the task.
        for_decoder: A decoder reads the maps, and no readout is wanted: a fusion then builds nothing that only a readout
            needs.
        links: Name -> what the outputs of a task mean, a key of :data:`drifa.links.LINKS`; softmax for a task left out.
    """

    modalities: tuple[str, ...]
    channels: tuple[tuple[int, ...], ...]
    ends_level: tuple[bool, ...]
    tasks: Mapping[str, int]
    task_modalities: Mapping[str, tuple[str, ...]]
    for_decoder: bool = False
    links: Mapping[str, str] = field(default_factory=dict)

    def link(self, task: str) -> Link:
        """What the outputs of a task mean."""
        return LINKS[self.links.get(task, DEFAULT_LINK)]

    def equal_channels(self, stage: int, fusion: str) -> int:
        """The channels that all modalities share at a stage, or an error that names them."""
        found = {channels[stage] for channels in self.channels}
        if len(found) > 1:
            named = {name: channels[stage] for name, channels in zip(self.modalities, self.channels, strict=True)}
            raise DrifaError(
                f"fusion {fusion!r} needs equal channels in all modalities; stage {stage} gives {named}: "
                f"give all modalities one backbone, or take a fusion that projects, such as drifa or gloria"
            )
        return found.pop()

    @property
    def level_ends(self) -> tuple[int, ...]:
        """The stages after which the resolution falls, and the last one."""
        return tuple(stage for stage, ends in enumerate(self.ends_level) if ends or stage + 1 == len(self.ends_level))

    @property
    def token_stage(self) -> int:
        """Where attention over positions reads its tokens: the end of the level before last (64 positions for ResNet18 at
        128 pixels); the last stage for segmentation, whose deepest maps the decoder reads."""
        return self.level_ends[-1 if self.for_decoder else max(-2, -len(self.level_ends))]


class Fusion(nn.Module):
    """Late fusion by concatenation: the base of every fusion, and already the control ``concat``.

    Args:
        spec: The branches and tasks.
    """

    name: ClassVar[str] = "concat"
    title: ClassVar[str] = "concatenation of the pooled last maps (the paper's baseline)"
    uses_mfa: ClassVar[bool] = False
    needs_equal_channels: ClassVar[bool] = False
    serves_decoder: ClassVar[bool] = True
    #: Whether a branch may give maps of one pixel, whatever the size of the others.
    takes_tabular: ClassVar[bool] = True
    #: Whether anything passes between the branches before the readout.
    couples: ClassVar[bool] = False

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.spec = spec

    @property
    def dim(self) -> int:
        """D, the length of the readout."""
        return sum(channels[-1] for channels in self.spec.channels)

    def after_stage(self, stage: int, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        """Couples the branches after a stage.

        Args:
            stage: 0 … K - 1.
            features: Per modality ``[B, C, H, W]``, or ``None`` where no row has it; behind these m maps stands whatever
                further maps the stage before has appended.
            present: bool ``[B, m]``, or ``None`` when all are present.

        Returns:
            The features that the next stage reads, in the same form. Further maps behind the m modalities are handed back
            untouched at the next stage.

        Shape:
            As given: what a modality has at a stage, it has behind the fusion. For two ResNet18 branches, a photo of 128 and a
            scan of 96 pixels, B rows:

            - stages 0 and 1: ``[B, 64, 32, 32]`` and ``[B, 64, 24, 24]``
            - stages 2 and 3: ``[B, 128, 16, 16]`` and ``[B, 128, 12, 12]``
            - stages 4 and 5: ``[B, 256, 8, 8]`` and ``[B, 256, 6, 6]``
            - stages 6 and 7: ``[B, 512, 4, 4]`` and ``[B, 512, 3, 3]``; the readout of ``concat`` is ``[B, 1024]``

        Examples:
            Two stages; row 0 has both modalities, row 1 the photo alone.

            >>> spec = FusionSpec(("photo", "scan"), ((4, 8), (4, 8)), (True, True), {"t": 3}, {"t": ("photo", "scan")})
            >>> fusion, present = Fusion(spec), torch.tensor([[True, True], [True, False]])
            >>> maps = [torch.rand(2, 8, 4, 4), torch.rand(2, 8, 3, 3)]
            >>> maps = fusion.after_stage(1, maps, present)
            >>> [tuple(x.shape) for x in maps]
            [(2, 8, 4, 4), (2, 8, 3, 3)]
            >>> vector = fusion.readout(maps, present)
            >>> tuple(vector.shape), vector[1, 8:].tolist()
            ((2, 16), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            >>> tuple(fusion.make_head("t")(vector).shape)
            (2, 3)
        """
        return list(features)

    def readout(self, features: Sequence[Tensor | None], present: Tensor | None) -> Tensor:
        """Pools the last maps and joins them. Returns ``[B, D]``; an absent modality contributes zeros."""
        return self.pooled(features, present)

    def bottleneck(self, features: Sequence[Tensor | None], present: Tensor | None) -> list[Tensor | None]:
        """The m maps that a decoder reads after the last stage."""
        return list(features[: len(self.spec.modalities)])

    def make_head(self, task: str) -> nn.Module:
        """The head of a task: ``[B, D] -> [B, k]``, its outputs in the sense of ``spec.link(task)``."""
        return nn.Linear(self.dim, self.spec.tasks[task])

    def supervised(self, head: nn.Module, readout: Tensor) -> list[Tensor]:
        """Everything that the loss of a task is taken on in training: its outputs; several under deep supervision."""
        return [head(readout)]

    def auxiliary_loss(self, features: Sequence[Tensor | None], present: Tensor | None) -> dict[str, Tensor]:
        """Loss terms of the method that need no labels, already weighted: name -> scalar. Features of the last stage."""
        return {}

    def combine(self, losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor | float:
        """The training loss from those of the tasks that have labels in the batch."""
        return weighted_losses(losses, weights)

    def pooled(self, features: Sequence[Tensor | None], present: Tensor | None) -> Tensor:
        """Global means of the m maps side by side, zeros where a modality is absent."""
        like = next(feature for feature in features if feature is not None)
        parts = []
        for i, channels in enumerate(self.spec.channels):
            feature = features[i]
            if feature is None:
                parts.append(like.new_zeros(like.shape[0], channels[-1]))
                continue
            mean = global_mean(feature)
            parts.append(mean if present is None else torch.where(present[:, i, None], mean, 0))
        return torch.cat(parts, dim=1)


def weighted_losses(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor | float:
    r""":math:`\sum_t \omega_t L_t` (eq. 9)."""
    return sum(weights[task] * loss for task, loss in losses.items())


def check_choice(place: str, value: str, choices: Sequence[str]) -> None:
    """Refuses a value that is not among the choices."""
    if value not in choices:
        raise DrifaError(f"{place}={value!r} is not known{suggest(value, choices)}")


def check_counts(fusion: str, **values: Any) -> None:
    """Refuses an option that is not a whole number above zero."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise DrifaError(f"fusion {fusion!r}: {name}={value!r} is not a whole number above zero")


def check_heads(fusion: str, dim: int, heads: int) -> None:
    """Refuses a width that the attention heads do not divide."""
    check_counts(fusion, dim=dim, heads=heads)
    if dim % heads:
        raise DrifaError(f"fusion {fusion!r}: dim={dim} is not a multiple of heads={heads}")


def option_names(fusion: type[Fusion]) -> list[str]:
    """The options that a fusion takes by name; those of DRIFA are arguments of ``create_model`` itself."""
    parameters = inspect.signature(fusion.__init__).parameters
    return [] if fusion.uses_mfa else [name for name in parameters if name not in ("self", "spec")]


def check_options(fusion: type[Fusion], options: Mapping[str, Any]) -> None:
    """Refuses options that a fusion does not take, with the nearest that it does."""
    known = option_names(fusion)
    for option in options:
        if option not in known:
            remedy = suggest(option, known) if known else " (it takes none)"
            raise DrifaError(f"fusion {fusion.name!r} has no option {option!r}{remedy}")
