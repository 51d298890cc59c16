"""BatchNorm behind an attention gives what it always gives, and keeps less."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from drifa.attention import MFA
from drifa.backbones.branch import Branch
from drifa.rescaled import RescaledBatchNorm2d, remember, rescaled_norms


class Gated(nn.Module):
    """An attention, BatchNorm and what follows it in a block."""

    def __init__(self, told: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.told = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), told
        self.gate = nn.Linear(6, 6)
        if told:
            rescaled_norms(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        scale = self.gate(x.mean((2, 3))).sigmoid()
        y = x * scale[:, :, None, None]
        return self.norm(remember(y, x, scale) if self.told else y).relu_()


def pair(dtype: torch.dtype = torch.float64) -> tuple[Gated, Gated]:
    torch.manual_seed(0)
    plain, told = Gated(False).to(dtype), Gated(True).to(dtype)
    told.load_state_dict(plain.state_dict())
    return plain, told


def run(branch: Branch, x: Tensor) -> Tensor:
    for stage, refine in zip(branch.stages, branch.refine, strict=True):
        x = refine(stage(x))
    return x


def kept(net: nn.Module, x: Tensor) -> int:
    """Numbers kept for the backward pass, each storage once, without parameters and the input."""
    places: dict[int, int] = {}
    own = {one.untyped_storage().data_ptr() for one in (x, *net.parameters(), *net.buffers())}

    def pack(tensor: Tensor) -> Tensor:
        places[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // tensor.element_size()
        held.append(tensor)
        return tensor

    held: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(x)
    return sum(count for place, count in places.items() if place not in own)


@pytest.mark.parametrize("shape", [(4, 3, 9, 8), (2, 3, 3, 4)])
def test_outputs_statistics_and_gradients_are_those_of_batch_norm(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64)
    results = []
    for net in pair():
        for turn in range(2):
            given = (x + turn).requires_grad_()
            y = net(given)
            net.zero_grad()
            (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
        results.append((y, given.grad, *(one.grad for one in net.parameters()), *net.buffers()))
    for plain, told in zip(*results, strict=True):
        torch.testing.assert_close(told, plain, rtol=1e-10, atol=1e-12)


def test_the_product_is_not_kept() -> None:
    plain, told = pair()
    x = torch.randn(4, 3, 20, 20)
    plain, told = plain.float(), told.float()
    whole = 4 * 6 * 18 * 18
    assert kept(plain, x) - kept(told, x) == pytest.approx(whole, abs=100)


def test_a_changed_product_is_normalised_as_it_is() -> None:
    plain, told = pair()
    x = torch.randn(4, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    scale = torch.rand(4, 6, dtype=torch.float64)
    grads = []
    for net in (plain, told):
        y = remember(x * scale[:, :, None, None], x, scale)
        y.mul_(2).add_(x)
        grads.append(torch.autograd.grad(net.norm(y).square().sum() + net.norm(y).sum() ** 2, x)[0])
    torch.testing.assert_close(grads[1], grads[0])


@pytest.mark.parametrize("change", ["eval", "momentum", "no_grad", "float16"])
def test_elsewhere_it_is_batch_norm(change: str) -> None:
    plain, told = pair(torch.float32)
    x = torch.randn(4, 3, 7, 7)
    if change == "eval":
        plain, told = plain.eval(), told.eval()
    if change == "momentum":
        plain.norm.momentum = told.norm.momentum = None
    with torch.set_grad_enabled(change != "no_grad"), torch.autocast("cpu", torch.bfloat16, enabled=change == "float16"):
        torch.testing.assert_close(told(x), plain(x))
    for one, other in zip(plain.buffers(), told.buffers(), strict=True):
        torch.testing.assert_close(one, other)


def test_one_row_of_one_pixel_is_refused_as_by_batch_norm() -> None:
    norm = RescaledBatchNorm2d(6)
    x, scale = torch.randn(1, 6, 1, 1, requires_grad=True), torch.rand(1, 6)
    with pytest.raises(ValueError, match="more than 1 value"):
        norm(remember(x * scale[:, :, None, None], x, scale))


def test_double_backward_is_refused() -> None:
    _, told = pair()
    x = torch.randn(4, 3, 7, 7, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(told(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_a_branch_with_attention_behind_every_convolution_has_them() -> None:
    arguments = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
    branch = Branch("resnet18", 3, MFA, "conv", arguments=arguments).train()
    norms = [part for part in branch.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert all(type(part) is RescaledBatchNorm2d for part in norms)
    branch.forward = partial(run, branch)
    plain = copy.deepcopy(branch)
    plain.forward = partial(run, plain)
    for part in plain.modules():
        if type(part) is RescaledBatchNorm2d:
            part.__class__ = nn.BatchNorm2d
    x = torch.randn(3, 3, 64, 64)
    grads = []
    for net in (branch, plain):
        grads.append(torch.autograd.grad(net(x).square().sum(), list(net.parameters()), allow_unused=True))
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert kept(branch, x) < kept(plain, x)
