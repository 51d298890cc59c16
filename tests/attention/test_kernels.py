"""The tiles of MFA: equal to the text of the paper, whatever the size, the memory format and the switches."""

from __future__ import annotations

import pytest
import torch

from drifa import MFA
from drifa.attention.implementation import implementation

SIZES = [(3, 6, 7, 5), (2, 6, 1, 1), (5, 6, 4, 4), (2, 6, 16, 16)]
SWITCHES = [
    {},
    {"hifa": False},
    {"clia": False},
    {"hifa_fuse": "concat"},
    {"reduction": 2},
    {"reduction": 2, "hifa": False},
    {"omega_d": False, "omega_l": False, "omega_c": False},
]
FORMATS = [
    lambda x: x.to(memory_format=torch.channels_last),
    lambda x: x.transpose(2, 3),
    lambda x: x[:, :, ::2, 1:],
    lambda x: x.flip(1).transpose(0, 1).contiguous().transpose(0, 1),
    lambda x: x[:1].expand(3, -1, -1, -1),
]
CLOSE = {torch.float64: (1e-10, 1e-8), torch.float32: (1e-5, 1e-4)}


def made(dtype: torch.dtype = torch.float64, channels: int = 6, **switches: object) -> MFA:
    torch.manual_seed(0)
    module = MFA(channels, **switches).to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def run(module: MFA, x: torch.Tensor, name: str, tile: int | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The output, and the gradients of the input and of every parameter."""
    x = x.detach().requires_grad_()
    with implementation(name, tile=tile):
        y = module(x)
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)
    return y.detach(), list(torch.autograd.grad((y * weights).sum(), [x, *module.parameters()]))


def assert_equal(module: MFA, x: torch.Tensor, tile: int | None = None, name: str = "tiled") -> None:
    forward, backward = CLOSE[x.dtype]
    (y, grads), (expected, of_reference) = run(module, x, name, tile), run(module, x, "reference")
    assert (y - expected).abs().max() <= forward * expected.abs().max()
    for grad, wanted in zip(grads, of_reference, strict=True):
        assert grad.shape == wanted.shape
        assert (grad - wanted).abs().max() <= backward * wanted.abs().max()


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("tile", [1, 3, 7, 40, None])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_the_reference_at_every_size(size: tuple[int, ...], tile: int | None, dtype: torch.dtype) -> None:
    assert_equal(made(dtype), torch.randn(size, dtype=dtype), tile)


@pytest.mark.parametrize("tile", [5, 40, None])
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_equals_the_reference_with_every_switch(switches: dict, tile: int | None) -> None:
    module = made(**switches)
    assert_equal(module, torch.randn(3, 6, 5, 4, dtype=torch.float64), tile)
    assert_equal(module, torch.randn(2, 6, 18, 17, dtype=torch.float64), tile)


@pytest.mark.parametrize("changed", FORMATS)
def test_equals_the_reference_in_every_memory_format(changed: object) -> None:
    assert_equal(made(), changed(torch.randn(3, 6, 8, 9, dtype=torch.float64)), tile=20)


@pytest.mark.parametrize("tile", [4, None])
def test_of_equal_maxima_the_first_gets_the_gradient_as_in_the_reference(tile: int | None) -> None:
    x = torch.randn(2, 1, 1, 1, dtype=torch.float64).expand(-1, -1, 5, 5)
    assert_equal(made(channels=1), x, tile)  # one channel: no sums, whose order could make equal pixels unequal


def test_a_gap_in_the_numbers_is_handed_on() -> None:
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64)
    x[0, 0, 4, 4] = float("nan")
    y = run(made(), x, "tiled", tile=4)[0]
    assert y[0].isnan().all()
    assert not y[1].isnan().any()


def test_gradcheck_once_and_twice() -> None:
    module = made(channels=3, implementation="tiled")
    x = torch.randn(2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in module.named_parameters()]

    def call(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    with implementation(tile=4):
        assert torch.autograd.gradcheck(call, (x, *module.parameters()))
        assert torch.autograd.gradgradcheck(call, (x, *module.parameters()))
        assert torch.autograd.gradgradcheck(module.attention, (x,))


def test_the_attention_alone_and_frozen_parts_have_their_gradients() -> None:
    module = made()
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    found = {}
    for name in ("tiled", "reference"):
        with implementation(name):
            found[name] = torch.autograd.grad(module.attention(x).square().sum(), [x, module.hifa.convs[2].weight])
    for grad, wanted in zip(*found.values(), strict=True):
        torch.testing.assert_close(grad, wanted)
    module.requires_grad_(False)
    for grad, wanted in zip(*(torch.autograd.grad(run_sum(module, x, name), x) for name in found), strict=True):
        torch.testing.assert_close(grad, wanted)
    module.requires_grad_(True)
    x = x.detach()
    for grad, wanted in zip(
        *(torch.autograd.grad(run_sum(module, x, n), list(module.parameters())) for n in found), strict=True
    ):
        torch.testing.assert_close(grad, wanted)


def run_sum(module: MFA, x: torch.Tensor, name: str) -> torch.Tensor:
    with implementation(name, tile=7):
        return module(x).square().sum()


def test_the_same_again_to_the_last_bit() -> None:
    module, x = made(torch.float32), torch.randn(3, 6, 16, 16)
    (y, grads), (again, grads_again) = run(module, x, "tiled", 50), run(module, x, "tiled", 50)
    assert torch.equal(y, again)
    assert all(map(torch.equal, grads, grads_again))


def test_an_answer_does_not_depend_on_the_batch() -> None:
    module, x = made(torch.float32).eval(), torch.randn(5, 6, 16, 16)
    with torch.no_grad(), implementation("tiled", tile=100):
        assert torch.equal(module(x)[2:3], module(x[2:3]))


def test_the_input_and_the_gradient_given_stay_what_they_were() -> None:
    module, x = made(), torch.randn(2, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    given = torch.randn(2, 6, 5, 5, dtype=torch.float64)
    kept = x.detach().clone(), given.clone()
    with implementation("tiled"):
        y = module(x)
    first = torch.autograd.grad(y, x, given, retain_graph=True)[0].clone()
    assert torch.equal(first, torch.autograd.grad(y, x, given)[0])
    assert torch.equal(x, kept[0])
    assert torch.equal(given, kept[1])


def saved_bytes(module: MFA, x: torch.Tensor) -> int:
    """What the graph of a forward pass holds beside the parameters."""
    own = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    storages = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = module(x)
    assert y.requires_grad
    return sum(tensor.untyped_storage().nbytes() for place, tensor in storages.items() if place not in own)


def test_no_map_but_the_input_is_saved() -> None:
    module, x = made(torch.float32), torch.randn(2, 6, 64, 64)
    one_map = x.untyped_storage().nbytes()
    with implementation("tiled"):
        assert saved_bytes(module, x) < 1.1 * one_map
    with implementation("reference"):
        assert saved_bytes(module, x) > 4 * one_map
