"""``train.compile``: torch.compile on the repeated parts of a network, one by one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from drifa.backbones import EncoderBranch
from drifa.config import TrainConfig
from drifa.errors import short

#: Programs that one piece of code may have: parts differ in width and stride, and torch's own limit is meant for one of them.
PROGRAMS = 256


def compiles(recipe: TrainConfig, device: torch.device) -> bool:
    """Whether the blocks are compiled: ``auto`` does so on a GPU, as tiles of pixels are faster on a CPU."""
    return recipe.compile == "blocks" or (recipe.compile == "auto" and device.type == "cuda")


def compile_blocks(net: Any, sides: tuple[int, int], backend: str = "inductor") -> bool:
    """Compiles each stage of each branch and each module between them, in place, and tries it forwards and backwards.

    Names and weights stay as they are, and so do the statistics and the gradients. The number of rows may change from call to
    call, as it does where modalities are absent. Where compiling fails, one warning names the cause, and the parts run as
    before.

    Args:
        net: A :class:`~drifa.FusionNet` or a :class:`~drifa.FusionSegNet`, on its device.
        sides: Height and width of the images, pixels.
        backend: Of ``torch.compile``.

    Returns:
        Whether the parts are compiled.
    """
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, PROGRAMS)
    _try_out(net, sides)  # what a network finds out of its first images is not to be compiled
    for part in _parts(net):
        part.compile(dynamic=True, fullgraph=True, backend=backend)
    try:
        _try_out(net, sides)
    except Exception as error:  # compilers fail in many ways, and the network itself has just run
        for part in _parts(net):
            part._compiled_call_impl = None
        logging.getLogger("drifa").warning(
            f"torch.compile failed ({type(error).__name__}: {short(error)}); the blocks run as they are, which gives the same "
            f"results: train.compile=none is without this warning"
        )
        return False
    return True


def _parts(net: Any) -> Iterator[nn.Module]:
    for branch in net.branches.values():
        if not isinstance(branch, EncoderBranch):  # an encoder is called as a whole, and may be anything
            yield from (stage for stage in branch.stages if any(True for _ in stage.parameters()))
            yield from (module for module in branch.refine if any(True for _ in module.parameters()))
    for child in net.fusion.children():
        own = child.children() if isinstance(child, nn.ModuleDict | nn.ModuleList) else [child]
        yield from (module for module in own if any(True for _ in module.parameters()))


def _try_out(net: Any, sides: tuple[int, int]) -> None:
    """One step on noise, of which nothing stays."""
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    training = net.training
    device = next(net.heads.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        images = {}
        for name, branch in net.branches.items():
            size = (1, 1) if name in net.config.get("tabular", ()) else sides
            images[name] = torch.rand(4, branch.in_channels, *size, device=device)
        try:
            outputs, auxiliary = net.train().training_logits(images)
            losses = [value.float().square().mean() for values in outputs.values() for value in values]
            (torch.stack(losses).sum() + sum(auxiliary.values())).backward()
        finally:
            net.zero_grad()
            net.load_state_dict(kept)
            net.train(training)
