"""Whether gates do anything: the attention a of every MFA (eq. 4), A of every MIFA (eq. 8), and those of DRIFA+, over samples.

A gate that is the same for every sample is a fixed scale of its channels, which a convolution could have learned as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from drifa.attention import MFA
from drifa.backbones import Branch, EncoderBranch
from drifa.errors import DrifaError
from drifa.fusion.drifa import Drifa
from drifa.fusion.drifa_plus import DrifaPlus
from drifa.networks.fusionnet import FusionNet
from drifa.networks.undisturbed import undisturbed

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


class _Sums:
    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, values: Tensor) -> None:
        values = values.double().cpu()
        self.count += len(values)
        self.total = self.total + values.sum(dim=0)
        self.squares = self.squares + values.square().sum(dim=0)

    def gate(self, kind: str, block: str, modality: str) -> Gate:
        mean = self.total / self.count
        spread = (self.squares / self.count - mean.square()).clamp_min(0).sqrt()
        return Gate(kind, block, modality, float(mean.mean()), float(spread.mean()), float(mean.std(correction=0)), self.count)


def has_gates(net: FusionNet) -> bool:
    """Whether :func:`gates` has something to look at."""
    return net.fusion.uses_mfa or isinstance(net.fusion, DrifaPlus)


def gates(net: FusionNet, batches: Iterable[tuple[Mapping[str, Tensor], Tensor]]) -> list[Gate]:
    """What every gate of a network does over some samples, in the order in which they are run.

    Args:
        net: In any mode; left as it was.
        batches: Images by modality, and present, bool ``[B, m]``.

    Raises:
        DrifaError: The network has no gates.

    Examples:
        >>> from drifa import create_model
        >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
        >>> net = create_model(modalities={"photo": 3, "scan": 1}, tasks={"lesion": 7}, backbone_args=tiny)
        >>> images = {"photo": torch.rand(2, 3, 64, 64), "scan": torch.rand(2, 1, 64, 64)}
        >>> found = gates(net, [(images, torch.ones(2, 2, dtype=torch.bool))])
        >>> {(gate.kind, gate.modality) for gate in found} >= {("mfa", "photo"), ("mifa", "scan")}
        True
    """
    found: dict[tuple[str, str, str], _Sums] = {}
    present = torch.empty(0)
    handles = []

    def of_branch(block: str, modality: str) -> Any:
        def hook(module: nn.Module, given: tuple[Tensor]) -> None:
            if not len(present):
                return
            values = module.attention(given[0])  # type: ignore[operator]
            # Inside a stage only the rows run that have the modality; behind it all do, and the others mean nothing.
            here = present[:, net.modalities.index(modality)]
            found.setdefault(("mfa", block, modality), _Sums()).add(values[here] if len(values) == len(here) else values)

        return hook

    def of_fusion(kind: str, block: str) -> Any:
        def hook(module: nn.Module, given: tuple[Any, ...]) -> None:
            values = module.attention(*given)  # type: ignore[operator]
            for i, modality in enumerate(net.modalities):
                if bool(present[:, i].any()):
                    own = values if isinstance(values, Tensor) else values[i]  # one for all modalities, or one each
                    found.setdefault((kind, block, modality), _Sums()).add(own[present[:, i]])

        return hook

    for modality, branch in net.branches.items():
        for block, part in branch.named_modules():
            if isinstance(part, MFA):
                handles.append(part.register_forward_pre_hook(of_branch(block, modality)))
    if isinstance(net.fusion, Drifa | DrifaPlus):
        kind, coupling = ("mifa", net.fusion.mifa) if isinstance(net.fusion, Drifa) else ("plus", net.fusion.gates)
        for stage, part in coupling.items():
            handles.append(part.register_forward_pre_hook(of_fusion(kind, f"stage {stage}")))
    try:
        if not handles:
            raise DrifaError(f"fusion {net.fusion.name!r} has no gates to look at")
        with torch.no_grad(), undisturbed(net):
            for images, there in batches:
                given = net.to_input(images)
                # A branch tries a size that is new to it on a blank image, which is no sample.
                present = there[:0]
                for name, branch in net.branches.items():
                    image = given.get(name)
                    if isinstance(branch, Branch | EncoderBranch) and isinstance(image, Tensor):
                        branch.check_size(image.shape[2], image.shape[3], name)
                present = there.to(next(net.parameters()).device)
                net(given, present)
    finally:
        for handle in handles:
            handle.remove()
    return [sums.gate(*key) for key, sums in found.items()]
