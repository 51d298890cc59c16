"""The matrix products of MFA on small maps: equal to the text of the paper, as its tiles are."""

from __future__ import annotations

import pytest
import torch

from drifa import MFA
from drifa.attention import rows
from drifa.attention.implementation import implementation
from tests.attention.test_kernels import CLOSE, FORMATS, SWITCHES, assert_equal, made, run, saved_bytes

SIZES = [(3, 6, 7, 5), (2, 6, 1, 1), (5, 6, 4, 4), (1, 6, 3, 3)]


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is tested here must have run at all."""
    seen: list[int] = []
    original = rows._pool
    monkeypatch.setattr(rows, "_pool", lambda *given, **named: seen.append(1) or original(*given, **named))
    return seen


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_equals_the_reference(size: tuple[int, ...], switches: dict, dtype: torch.dtype, calls: list[int]) -> None:
    assert_equal(made(dtype, **switches), torch.randn(size, dtype=dtype), name="auto")
    assert len(calls) == 1


@pytest.mark.parametrize("changed", FORMATS)
def test_equals_the_reference_in_every_memory_format(changed: object, calls: list[int]) -> None:
    assert_equal(made(), changed(torch.randn(3, 6, 8, 9, dtype=torch.float64)), name="auto")
    assert calls


def test_of_equal_maxima_the_first_gets_the_gradient_as_in_the_reference() -> None:
    x = torch.randn(2, 1, 1, 1, dtype=torch.float64).expand(-1, -1, 5, 5)
    assert_equal(made(channels=1), x, name="auto")


def test_a_gap_in_the_numbers_is_handed_on() -> None:
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64)
    x[0, 0, 4, 4] = float("nan")
    for y in (run(made(), x, "auto")[0], made().requires_grad_(False)(x)):
        assert y[0].isnan().all()
        assert not y[1].isnan().any()


def test_gradcheck_once_and_twice(calls: list[int]) -> None:
    module = made(channels=3)
    x = torch.randn(2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in module.named_parameters()]

    def call(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(call, (x, *module.parameters()))
    assert torch.autograd.gradgradcheck(call, (x, *module.parameters()))
    assert torch.autograd.gradgradcheck(module.attention, (x,))
    assert calls


def test_the_attention_alone_and_frozen_parts_have_their_gradients() -> None:
    module = made()
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64, requires_grad=True)

    def gradients(name: str, *wanted: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with implementation(name):
            return torch.autograd.grad(module.attention(x).square().sum() + module(x).square().sum(), wanted)

    torch.testing.assert_close(
        gradients("auto", x, module.hifa.convs[2].weight), gradients("reference", x, module.hifa.convs[2].weight)
    )
    module.requires_grad_(False)
    torch.testing.assert_close(gradients("auto", x), gradients("reference", x))
    module.requires_grad_(True)
    x.requires_grad_(False)
    parameters = list(module.parameters())
    torch.testing.assert_close(gradients("auto", *parameters), gradients("reference", *parameters))


def test_what_was_given_stays_what_it_was() -> None:
    module, x = made(), torch.randn(2, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    given = torch.randn(2, 6, 5, 5, dtype=torch.float64)
    kept = x.detach().clone(), given.clone()
    y = module(x)
    first = torch.autograd.grad(y, x, given, retain_graph=True)[0].clone()
    assert torch.equal(first, torch.autograd.grad(y, x, given)[0])
    assert torch.equal(x, kept[0])
    assert torch.equal(given, kept[1])


def test_three_maps_are_kept_for_the_backward_pass_and_one_of_them_is_of_two_branches() -> None:
    module, x = made(torch.float32, channels=16), torch.randn(8, 16, 16, 16)
    assert isinstance(module, MFA)
    one_map = x.untyped_storage().nbytes()
    assert 4.9 * one_map < saved_bytes(module, x) < 5.5 * one_map  # x itself is the fifth
