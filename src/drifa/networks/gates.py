"""Whether gates do anything: the attention a of every MFA (eq. 4), A of every MIFA (eq. 8), and those of DRIFA+, over samples.

A gate that is the same for every sample is a fixed scale of its channels, which a convolution could have learned as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from drifa.attention import MFA, MIFA
from drifa.backbones import Branch, EncoderBranch
from drifa.fusion.drifa import Drifa
from drifa.fusion.drifa_plus import DrifaPlus
from drifa.networks.branched import BranchedNet
from drifa.networks.inputs import Inputs

#: A gate whose values move less than this over the samples, in standard deviations, is told to be constant.
MOVES = 0.01


@dataclass(frozen=True)
class Gate:
    """One gate over some samples.

    Attributes:
        kind: ``mfa``, ``mifa`` or ``plus``.
        block: Name of the module in its branch, or of the stage that it follows.
        modality: Whose maps it scales.
        mean: Over channels and samples.
        spread: Standard deviation over the samples, mean over the channels: does it look at the image?
        across: Standard deviation over the channels of their means: does it prefer channels?
        samples: How many had the modality.
    """

    kind: str
    block: str
    modality: str
    mean: float
    spread: float
    across: float
    samples: int

    @property
    def moves(self) -> bool:
        """Whether it depends on the sample at all."""
        return self.spread >= MOVES


def has_gates(net: BranchedNet) -> bool:
    """Whether a network has a gate that :class:`GateSums` can watch."""
    return any(True for _ in _sites(net))


class _Site(NamedTuple):
    kind: str
    block: str
    modality: str
    module: nn.Module


class GateSums:
    """What the gates of a network do in the passes that are watched, as sums over their samples.

    Args:
        enough: Once so many samples of every modality were seen, passes are no longer watched; ``None`` = all are.

    Examples:
        >>> from drifa import create_model
        >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
        >>> net = create_model(modalities={"photo": 3, "scan": 1}, tasks={"lesion": 7}, backbone_args=tiny).eval()
        >>> images = {"photo": torch.rand(2, 3, 64, 64), "scan": torch.rand(2, 1, 64, 64)}
        >>> present, sums = torch.ones(2, 2, dtype=torch.bool), GateSums()
        >>> with torch.no_grad(), sums.watching(net, images, present):
        ...     answers = net(images, present)
        >>> {(gate.kind, gate.modality) for gate in sums.gates()} >= {("mfa", "photo"), ("mifa", "scan")}
        True
    """

    def __init__(self, enough: int | None = None) -> None:
        self.enough = enough
        self._seen: dict[str, int] = {}
        self._sums: dict[tuple[str, str, str], _Sums] = {}

    @contextmanager
    def watching(self, net: BranchedNet, inputs: Inputs, present: Tensor) -> Iterator[None]:
        """Watches one pass of a network; its answers stay as they are, and no hook stays behind.

        Args:
            net: With or without gates.
            inputs: What it is about to be given, as in its ``forward``.
            present: bool ``[B, m]``.
        """
        with ExitStack() as stack:
            if not self._satisfied(net.modalities, present):
                self._attach(stack, net, inputs, present)
            yield

    def gates(self) -> list[Gate]:
        """Every gate that was seen, in the order in which they were run."""
        return [sums.gate(*key) for key, sums in self._sums.items()]

    def _satisfied(self, modalities: tuple[str, ...], present: Tensor) -> bool:
        """Whether nothing is to be learned of the pass; the second question waits for a GPU, so the first is asked before."""
        if self.enough is None:
            return False
        lacking = [i for i, name in enumerate(modalities) if self._seen.get(name, 0) < self.enough]
        return not lacking or not bool(present[:, lacking].any())

    def _attach(self, stack: ExitStack, net: BranchedNet, inputs: Inputs, present: Tensor) -> None:
        columns = dict(zip(net.modalities, present.cpu().unbind(1), strict=True))
        for name, here in columns.items():
            self._seen[name] = self._seen.get(name, 0) + int(here.sum())
        sites = [site for site in _sites(net) if columns[site.modality].any()]
        if not sites:
            return
        # A branch tries a size that is new to it on a blank image, which is no sample.
        for name, branch in net.branches.items():
            image = inputs.get(name)
            if isinstance(branch, Branch | EncoderBranch) and isinstance(image, Tensor):
                branch.check_size(image.shape[2], image.shape[3], name)
        stack.enter_context(_as_written(net))
        for site in sites:
            stack.callback(site.module.register_forward_hook(self._hook(site, columns[site.modality])).remove)

    def _hook(self, site: _Site, here: Tensor) -> Any:
        def hook(module: nn.Module, given: tuple[Any, ...], values: Tensor) -> None:
            values = values.detach().cpu().double()
            # Inside a stage only the rows run that have the modality; behind it all do, and the others mean nothing.
            sums = self._sums.setdefault((site.kind, site.block, site.modality), _Sums())
            sums.add(values[here] if len(values) == len(here) else values)

        return hook


def _sites(net: BranchedNet) -> Iterator[_Site]:
    """Where the gates of a network can be seen."""
    for modality, branch in net.branches.items():
        for block, part in branch.named_modules():
            if isinstance(part, MFA):
                yield _Site("mfa", block, modality, part.gate)
    if isinstance(net.fusion, Drifa):
        for stage, coupling in net.fusion.mifa.items():
            for part in coupling.modules():
                if isinstance(part, MIFA):  # one gate for all modalities
                    for modality in net.modalities:
                        yield _Site("mifa", f"stage {stage}", modality, part.gate)
    if isinstance(net.fusion, DrifaPlus):
        for stage, coupling in net.fusion.gates.items():
            for modality in net.modalities:
                yield _Site("plus", f"stage {stage}", modality, coupling.get_submodule(f"of.{modality}.gate"))


@contextmanager
def _as_written(net: nn.Module) -> Iterator[None]:
    """Compiled parts run as they are written: a program that was compiled before a hook came does not call it."""
    compiled = [(part, part._compiled_call_impl) for part in net.modules() if part._compiled_call_impl is not None]
    for part, _ in compiled:
        part._compiled_call_impl = None
    try:
        yield
    finally:
        for part, program in compiled:
            part._compiled_call_impl = program


class _Sums:
    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, values: Tensor) -> None:
        self.count += len(values)
        self.total = self.total + values.sum(dim=0)
        self.squares = self.squares + values.square().sum(dim=0)

    def gate(self, kind: str, block: str, modality: str) -> Gate:
        mean = self.total / self.count
        spread = (self.squares / self.count - mean.square()).clamp_min(0).sqrt()
        return Gate(kind, block, modality, float(mean.mean()), float(spread.mean()), float(mean.std(correction=0)), self.count)
