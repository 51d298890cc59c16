"""MFA: the published equations, the released layers, the switches of the ablation tables."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from drifa import CLIA, HIFA, MFA, DrifaError
from tests.attention import parameters, reference


def test_reproduces_the_authors_layers_and_their_gradient(golden: Path) -> None:
    vectors = np.load(golden / "mfa.npz")
    module = MFA(vectors["x"].shape[1])
    parameters.load(module, vectors)
    x = torch.tensor(vectors["x"], requires_grad=True)
    y = module(x)
    (y**2).sum().backward()
    np.testing.assert_allclose(module.attention(x).detach(), vectors["attention"], atol=1e-5)
    np.testing.assert_allclose(y.detach(), vectors["y"], atol=1e-5)
    np.testing.assert_allclose(x.grad, vectors["grad_x_of_sum_y2"], atol=1e-5)


@pytest.mark.parametrize("fuse", ["add", "concat"])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_numpy_reference(fuse: str, seed: int) -> None:
    module = MFA(5, hifa_fuse=fuse)
    arrays = parameters.randomised(module, seed)
    x = torch.randn(3, 5, 4, 6, dtype=torch.float64)
    np.testing.assert_allclose(module(x).detach(), reference.mfa(x.numpy(), arrays, fuse), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 8, 64])
def test_parameter_count_is_that_of_the_paper(channels: int) -> None:
    count = sum(parameter.numel() for parameter in MFA(channels).parameters())
    assert count == 8 * channels**2 + 9 * channels + 1


def test_zero_layers_give_the_nominal_attention() -> None:
    module = MFA(4)
    with torch.no_grad():
        for parameter in [*module.hifa.parameters(), *module.clia.parameters()]:
            parameter.zero_()
    expected = torch.sigmoid(torch.tensor(1.5))
    assert torch.equal(module.attention(torch.randn(2, 4, 3, 3)), expected.expand(2, 4))


def test_attention_stays_in_its_range() -> None:
    module = MFA(6)
    with torch.no_grad():
        for parameter in [*module.hifa.parameters(), *module.clia.parameters()]:
            parameter.normal_(std=3)
    attention = module.attention(5 * torch.randn(16, 6, 7, 7))
    assert attention.min() > 0.5
    assert attention.max() < torch.sigmoid(torch.tensor(3.0))


def test_each_omega_off_removes_its_parameter_and_acts_like_one() -> None:
    x = torch.randn(2, 4, 5, 5)
    sizes = {"omega_d": 1, "omega_l": 4, "omega_c": 4}
    full = sum(p.numel() for p in MFA(4).parameters())
    for off in product([True, False], repeat=3):
        switches = dict(zip(sizes, off, strict=True))
        torch.manual_seed(0)
        module = MFA(4, **switches)
        assert full - sum(p.numel() for p in module.parameters()) == sum(sizes[n] for n, on in switches.items() if not on)
        torch.manual_seed(0)
        torch.testing.assert_close(module(x), MFA(4)(x))  # every omega starts at 1


@pytest.mark.parametrize(("hifa", "clia"), [(True, False), (False, True)])
def test_a_branch_switched_off_has_no_say(hifa: bool, clia: bool) -> None:
    module = MFA(4, hifa=hifa, clia=clia)
    x = torch.randn(2, 4, 5, 5)
    other = module.hifa if hifa else module.clia
    torch.testing.assert_close(module.attention(x), torch.sigmoid(other(x)))


def test_both_branches_off_is_refused() -> None:
    with pytest.raises(DrifaError, match="mfa=False"):
        MFA(4, hifa=False, clia=False)


@pytest.mark.parametrize("module", [HIFA(4), CLIA(4), MFA(4)], ids=lambda module: type(module).__name__)
@pytest.mark.parametrize(
    ("given", "word"),
    [
        (torch.rand(2, 5, 3, 3), r"\[B, 4, H, W\]"),
        (torch.rand(4, 3, 3), r"\[B, 4, H, W\]"),
        ([torch.rand(2, 4, 3, 3)], "not a list"),
        (torch.ones(2, 4, 3, 3, dtype=torch.uint8), "uint8"),
    ],
)
def test_wrong_input_is_refused_with_what_would_be_right(module: torch.nn.Module, given: object, word: str) -> None:
    with pytest.raises(DrifaError, match=f"^{type(module).__name__} .*{word}"):
        module(given)


def test_unknown_fuse_names_the_choices() -> None:
    with pytest.raises(DrifaError, match="concat"):
        MFA(4, hifa_fuse="concatenate")


def test_reduction_keeps_shapes_and_saves_parameters() -> None:
    module = MFA(16, reduction=4)
    assert module(torch.randn(2, 16, 3, 3)).shape == (2, 16, 3, 3)
    assert sum(p.numel() for p in module.parameters()) < sum(p.numel() for p in MFA(16).parameters()) / 2
    with pytest.raises(DrifaError, match="reduction=32"):
        MFA(16, reduction=32)


def test_gradcheck_reaches_the_input_and_every_parameter() -> None:
    module = MFA(3).double()
    x = torch.randn(2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in module.named_parameters()]

    def run(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *module.parameters()))


@pytest.mark.parametrize("options", [{}, {"hifa": False}, {"clia": False}, {"reduction": 2}, {"hifa": False, "omega_d": False}])
def test_it_can_start_as_the_identity_and_learns_from_there(options: dict) -> None:
    torch.manual_seed(0)
    module, x = MFA(4, start="identity", **options), torch.randn(2, 4, 5, 3)
    assert torch.equal(module(x), x)
    module(x).square().sum().backward()
    weights = [weight for weight in (module.omega_d, module.omega_l, module.omega_c) if weight is not None]
    assert all(weight.grad.abs().min() > 0 for weight in weights)


def test_a_start_needs_the_weights_that_it_sets_and_a_name_that_is_known() -> None:
    with pytest.raises(DrifaError, match="needs a omega_d to start from"):
        MFA(4, start="identity", omega_d=False)
    with pytest.raises(DrifaError, match="did you mean 'identity'"):
        MFA(4, start="identiti")
