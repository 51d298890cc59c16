"""MIFA: the published equations, the released layers, any number of modalities, absent ones."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from drifa import MGIFA, MIFA, MLIFA, DrifaError
from tests.attention import parameters, reference


def maps(count: int, channels: int = 4, batch: int = 3, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    return [torch.randn(batch, channels, 3 + i, 5, dtype=dtype) for i in range(count)]


def test_reproduces_the_authors_layers(golden: Path) -> None:
    vectors = np.load(golden / "mifa.npz")
    module = MIFA(vectors["x1"].shape[1], modalities=2)
    parameters.load(module, vectors)
    xs = [torch.tensor(vectors["x1"]), torch.tensor(vectors["x2"])]
    np.testing.assert_allclose(module.attention(xs).detach(), vectors["attention"], atol=1e-5)
    for y, expected in zip(module(xs), ("y1", "y2"), strict=True):
        np.testing.assert_allclose(y.detach(), vectors[expected], atol=1e-5)


@pytest.mark.parametrize("modalities", [1, 2, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_equals_the_numpy_reference(modalities: int, masked: bool) -> None:
    module = MIFA(4, modalities)
    arrays = parameters.randomised(module, seed=modalities)
    xs = maps(modalities, dtype=torch.float64)
    present = torch.ones(3, modalities, dtype=torch.bool)
    present[0, 1:] = False
    expected = reference.mifa([x.numpy() for x in xs], arrays, present.numpy() if masked else None)
    for i, (y, wanted) in enumerate(zip(module(xs, present if masked else None), expected, strict=True)):
        rows = present[:, i] if masked else slice(None)
        np.testing.assert_allclose(y[rows].detach(), wanted[rows], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("channels", "modalities"), [(1, 1), (8, 2), (16, 4)])
def test_parameter_count_is_that_of_the_paper(channels: int, modalities: int) -> None:
    count = sum(parameter.numel() for parameter in MIFA(channels, modalities).parameters())
    assert count == (1 + modalities) * (channels**2 + channels) + 1 + channels + modalities * channels


@pytest.mark.parametrize("modalities", [1, 2, 4])
def test_zero_layers_give_the_nominal_attention(modalities: int) -> None:
    module = MIFA(4, modalities)
    with torch.no_grad():
        for parameter in [*module.mgifa.parameters(), *module.mlifa.parameters()]:
            parameter.zero_()
    expected = torch.sigmoid(torch.tensor(1.5 + 1.5 * modalities))
    assert torch.equal(module.attention(maps(modalities)), expected.expand(3, 4))


def test_permuting_the_modalities_permutes_the_outputs() -> None:
    module, order = MIFA(4, 3), [2, 0, 1]
    xs = maps(3)
    expected = module(xs)
    with torch.no_grad():
        module.omega_c.copy_(module.omega_c[order])
    module.mlifa.convs = torch.nn.ModuleList([module.mlifa.convs[i] for i in order])
    for y, i in zip(module([xs[i] for i in order]), order, strict=True):
        torch.testing.assert_close(y, expected[i])


@pytest.mark.parametrize("options", [{}, {"normalise": True}, {"mlifa_mode": "pool"}, {"shared_f_pool": False}])
def test_what_stands_in_an_absent_slot_has_no_influence(options: dict) -> None:
    module = MIFA(4, 2, **options)
    xs = [torch.randn(3, 4, 6, 6) for _ in range(2)]
    present = torch.tensor([[True, True], [True, False], [False, True]])
    poisoned = [x.clone() for x in xs]
    poisoned[1][1] = float("nan")
    poisoned[0][2] = 1e9
    for y, z, mask in zip(module(xs, present), module(poisoned, present), present.T, strict=True):
        assert torch.equal(y[mask], z[mask])
        assert (z[~mask] == 0).all()


def test_a_modality_that_no_row_has_may_be_none() -> None:
    module, xs = MIFA(4, 2), maps(2)
    present = torch.tensor([[True, False]] * 3)
    first, second = module([xs[0], None], present)
    assert second is None
    torch.testing.assert_close(first, module(xs, present)[0])


def test_normalising_keeps_the_sigmoid_out_of_saturation() -> None:
    xs = maps(4)
    plain, normalised = MIFA(4, 4), MIFA(4, 4, normalise=True)
    assert plain.attention(xs).min() > 0.99
    assert normalised.attention(xs).max() < torch.sigmoid(torch.tensor(2.0))


def test_every_switch_removes_exactly_its_parameters() -> None:
    sizes = {"omega_d": 1, "omega_l": 4, "omega_c": 8}
    full = sum(p.numel() for p in MIFA(4, 2).parameters())
    xs = maps(2)
    for switches in product([True, False], repeat=3):
        chosen = dict(zip(sizes, switches, strict=True))
        torch.manual_seed(0)
        module = MIFA(4, 2, **chosen)
        assert full - sum(p.numel() for p in module.parameters()) == sum(sizes[n] for n, on in chosen.items() if not on)
        torch.manual_seed(0)
        for y, expected in zip(module(xs), MIFA(4, 2)(xs), strict=True):
            torch.testing.assert_close(y, expected)


@pytest.mark.parametrize(("mgifa", "mlifa"), [(True, False), (False, True)])
def test_a_branch_switched_off_has_no_say(mgifa: bool, mlifa: bool) -> None:
    module, xs = MIFA(4, 2, mgifa=mgifa, mlifa=mlifa), maps(2)
    branch = module.mgifa if mgifa else module.mlifa
    torch.testing.assert_close(module.attention(xs), torch.sigmoid(branch(xs, [None, None])))


def test_pooled_mlifa_needs_equal_sizes_and_says_so() -> None:
    with pytest.raises(DrifaError, match="mode='conv'"):
        MIFA(4, 2, mlifa_mode="pool")(maps(2))


def test_reduction_keeps_shapes() -> None:
    for y, x in zip(MIFA(8, 2, reduction=4)(maps(2, channels=8)), maps(2, channels=8), strict=True):
        assert y.shape == x.shape


@pytest.mark.parametrize(
    ("inputs", "present", "word"),
    [
        (lambda: maps(3), None, "built for 2"),
        (lambda: maps(2, channels=5), None, r"\[B, 4, H, W\]"),
        (lambda: [None, None], None, "absent"),
        (lambda: maps(2), torch.ones(3, 2), "bool"),
        (lambda: maps(2), torch.ones(2, 2, dtype=torch.bool), r"\[3, 2\]"),
    ],
)
def test_wrong_input_is_refused_with_what_would_be_right(inputs, present, word) -> None:
    with pytest.raises(DrifaError, match=word):
        MIFA(4, 2)(inputs(), present)


@pytest.mark.parametrize("module", [MGIFA(4), MLIFA(4, 2)], ids=lambda module: type(module).__name__)
@pytest.mark.parametrize(
    ("inputs", "word"),
    [
        (lambda: {"photo": maps(1)[0]}, "not a dict"),
        (lambda: maps(3), "built for 2"),
        (lambda: maps(2, channels=5), r"\[B, 4, H, W\]"),
        (lambda: [None, None], "absent"),
    ],
)
def test_the_parts_refuse_what_the_whole_refuses(module, inputs, word) -> None:
    with pytest.raises(DrifaError, match=f"^{type(module).__name__}.*{word}"):
        module(inputs(), [None, None])


def test_gradcheck_reaches_inputs_and_every_parameter() -> None:
    module = MIFA(2, 2).double()
    xs = [torch.randn(2, 2, 2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    present = torch.tensor([[True, True], [True, False]])
    names = [name for name, _ in module.named_parameters()]

    def run(x1: torch.Tensor, x2: torch.Tensor, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.func.functional_call(module, dict(zip(names, values, strict=True)), ([x1, x2], present)))

    assert torch.autograd.gradcheck(run, (*xs, *module.parameters()))


@pytest.mark.parametrize("options", [{}, {"mgifa": False}, {"mlifa": False}, {"mlifa_mode": "pool"}, {"normalise": True}])
def test_it_can_start_as_the_identity_and_learns_from_there(options: dict) -> None:
    torch.manual_seed(0)
    module, xs = MIFA(4, 2, start="identity", **options), [torch.randn(2, 4, 4, 4), torch.randn(2, 4, 4, 4)]
    present = torch.tensor([[True, True], [True, False]])
    a, b = module(xs, present)
    assert torch.equal(a, xs[0])
    assert torch.equal(b[0], xs[1][0])
    assert not b[1].any()
    (a.square().sum() + b.square().sum()).backward()
    weights = [weight for weight in (module.omega_d, module.omega_l, module.omega_c) if weight is not None]
    assert all(weight.grad.abs().min() > 0 for weight in weights)
