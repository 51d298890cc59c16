"""The tiles of MLIFA: equal to the whole map, whatever the size, the memory format and the rows that are present."""

from __future__ import annotations

import pytest
import torch

from drifa import MIFA
from drifa.attention.implementation import implementation

CLOSE = {torch.float64: (1e-10, 1e-8), torch.float32: (1e-5, 1e-4)}
PRESENT = torch.tensor([[True, True], [True, False], [False, True]])


def made(dtype: torch.dtype, channels: int = 6, **options: int) -> MIFA:
    torch.manual_seed(0)
    module = MIFA(channels, 2, normalise=True, **options).to(dtype)  # normalised: else the outer sigmoid hides differences
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def run(module: MIFA, xs: list[torch.Tensor], name: str, tile: int | None, present: torch.Tensor | None) -> list[torch.Tensor]:
    """Attention, then all gradients of the outputs."""
    xs = [x.detach().requires_grad_() for x in xs]
    with implementation(name, tile=tile):
        ys, attention = module(xs, present), module.attention(xs, present).detach()
    return [attention, *torch.autograd.grad(sum(y.square().sum() for y in ys), [*xs, *module.parameters()])]


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("present", [None, PRESENT], ids=["all", "some"])
@pytest.mark.parametrize("tile", [1, 7, 40, None])
@pytest.mark.parametrize("reduction", [1, 2])
def test_equals_the_reference(reduction: int, tile: int | None, present: torch.Tensor | None, dtype: torch.dtype) -> None:
    forward, backward = CLOSE[dtype]
    module = made(dtype, reduction=reduction)
    for sizes in (((7, 5), (4, 6)), ((1, 1), (16, 16))):
        xs = [torch.randn(3, 6, *size, dtype=dtype) for size in sizes]
        xs[1] = xs[1].to(memory_format=torch.channels_last)
        (attention, *grads), (expected, *wanted) = (run(module, xs, name, tile, present) for name in ("tiled", "reference"))
        assert (attention - expected).abs().max() <= forward
        for grad, reference in zip(grads, wanted, strict=True):
            assert (grad - reference).abs().max() <= backward * reference.abs().max().clamp_min(1)


def test_gradcheck_once_and_twice() -> None:
    module = made(torch.float64, channels=2)
    xs = [torch.randn(2, 2, 3, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    with implementation("tiled", tile=4):
        assert torch.autograd.gradcheck(lambda *xs: module.attention(xs), xs)
        assert torch.autograd.gradgradcheck(lambda *xs: module.attention(xs), xs)


def test_what_stands_in_an_absent_slot_has_no_influence() -> None:
    module = made(torch.float32)
    xs = [torch.randn(3, 6, 4, 4) for _ in range(2)]
    poisoned = [x.clone() for x in xs]
    poisoned[1][1] = float("nan")
    with implementation("tiled"):
        for y, z, mask in zip(module(xs, PRESENT), module(poisoned, PRESENT), PRESENT.T, strict=True):
            assert torch.equal(y[mask], z[mask])


def test_no_map_is_saved_but_the_inputs() -> None:
    module, xs = made(torch.float32), [torch.randn(2, 6, 32, 32) for _ in range(2)]
    kept: dict[str, int] = {}
    for name in ("tiled", "reference"):
        storages = {}

        def pack(tensor: torch.Tensor, storages: dict = storages) -> torch.Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with implementation(name), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            module(xs)
        kept[name] = sum(tensor.untyped_storage().nbytes() for tensor in storages.values())
    inputs = sum(x.untyped_storage().nbytes() for x in xs)
    assert kept["tiled"] < 1.1 * inputs
    assert kept["reference"] > 1.9 * inputs
