"""Which implementation of MFA runs: by name, by size, and the reference for whoever reads the operations."""

from __future__ import annotations

import threading

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from drifa import MFA, DrifaError
from drifa.attention import kernels
from drifa.attention.implementation import _asked, implementation, pointwise
from tests.attention.test_kernels import made, run


def tiled(module: MFA, x: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a forward pass takes the tiles."""
    calls = []
    original = kernels._pool
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "_pool", lambda *given, **named: calls.append(1) or original(*given, **named))
        module(x)
    return bool(calls)


def test_auto_goes_by_size_and_a_name_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = torch.randn(1, 6, 64, 64), torch.randn(1, 6, 2, 2)
    for name, expected in {"auto": (True, False), "tiled": (True, True), "reference": (False, False)}.items():
        module = made(torch.float32, implementation=name)
        assert (tiled(module, large, monkeypatch), tiled(module, small, monkeypatch)) == expected
        with implementation(name):
            assert (tiled(made(torch.float32), large, monkeypatch), tiled(made(torch.float32), small, monkeypatch)) == expected
    with implementation("reference"), implementation(tile=8):
        assert tiled(made(torch.float32), large, monkeypatch)  # the inner request leaves the name to the module
    assert tiled(made(torch.float32), large, monkeypatch)


@pytest.mark.parametrize("side", [(1, 1), (2, 3), (5, 4)])
def test_small_maps_are_multiplied_to_what_the_convolution_gives(side: tuple[int, int]) -> None:
    conv, given = torch.nn.Conv2d(6, 4, 1).double(), torch.randn(3, 6, *side, dtype=torch.float64)
    found = []
    for way in (conv, lambda x: pointwise(conv, x)):
        x = given.clone().requires_grad_()
        y = way(x)
        found.append((y, *torch.autograd.grad(y.sin().sum(), (x, *conv.parameters()))))
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


def test_a_convolution_that_is_watched_or_named_is_called() -> None:
    module, x, calls = made(torch.float32), torch.randn(2, 6, 2, 2), []
    conv = module.hifa.convs[1]
    run_conv = conv.forward
    conv.forward = lambda given: calls.append(1) or run_conv(given)
    module(x)
    assert not calls
    with implementation("reference"):
        module(x)
    made_so = made(torch.float32, implementation="reference")
    made_so.hifa.convs[1].register_forward_hook(lambda *given: calls.append(1))
    made_so(x)
    conv.register_forward_hook(lambda *given: None)
    module(x)
    assert len(calls) == 3


def test_the_reference_runs_for_whoever_reads_the_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = made(torch.float32, implementation="tiled"), torch.randn(2, 6, 16, 16)
    assert tiled(module, x, monkeypatch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not tiled(module, x, monkeypatch)
    with FlopCounterMode(display=False):
        assert not tiled(module, x, monkeypatch)
    assert not tiled(made(torch.bfloat16, implementation="tiled"), x.bfloat16(), monkeypatch)
    assert not tiled(module.to("meta"), x.to("meta"), monkeypatch)
    hooked = made(torch.float32, implementation="tiled")
    handle = hooked.hifa.convs[1].register_forward_hook(lambda *_: None)
    assert not tiled(hooked, x, monkeypatch)
    handle.remove()
    assert tiled(hooked, x, monkeypatch)


def test_transforms_and_forward_derivatives_meet_the_reference() -> None:
    module, x = made(implementation="tiled"), torch.randn(2, 6, 5, 5, dtype=torch.float64)
    expected = torch.autograd.functional.vjp(lambda x: module(x).square().sum(), x)[1]
    torch.testing.assert_close(torch.func.grad(lambda x: module(x).square().sum())(x), expected)
    torch.testing.assert_close(torch.func.vmap(lambda one: module(one[None])[0])(x), module(x))
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(module(forward_ad.make_dual(x, torch.ones_like(x)))).tangent
    torch.testing.assert_close(tangent.shape, x.shape)


def test_a_traced_program_holds_the_convolutions_of_the_paper() -> None:
    module, x = made(torch.float32, implementation="tiled").eval(), torch.randn(2, 6, 16, 16)
    traced = torch.jit.trace(module, x, check_trace=False)
    assert str(traced.inlined_graph).count("aten::_convolution(") == 6
    exported = torch.export.export(module, (x,)).module()
    for program in (traced, exported):
        torch.testing.assert_close(program(x), module(x))


def test_bfloat16_is_the_reference() -> None:
    module, x = made(torch.bfloat16), torch.randn(2, 6, 16, 16).bfloat16()
    (y, grads), (expected, wanted) = run(module, x, "tiled"), run(module, x, "reference")
    assert torch.equal(y, expected)
    assert all(map(torch.equal, grads, wanted))


def test_inputs_that_do_not_fit_are_refused_by_the_same_words() -> None:
    for x in (torch.randn(2, 5, 16, 16), torch.randn(2, 6, 16, 16, dtype=torch.float64)):
        words = []
        for name in ("reference", "tiled"):
            with implementation(name), pytest.raises((RuntimeError, DrifaError)) as caught:
                made(torch.float32)(x)
            words.append(str(caught.value))
        assert words[0] == words[1]
    with implementation("tiled"):
        assert made(torch.float32)(torch.randn(0, 6, 16, 16)[:0].new_empty(0, 6, 16, 16)).shape == (0, 6, 16, 16)


@pytest.mark.parametrize("tile", [0, -3, 2.5])
def test_a_tile_without_a_pixel_is_refused(tile: object) -> None:
    with pytest.raises(DrifaError, match="holds no pixel"), implementation("tiled", tile=tile):
        pass


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(DrifaError, match="did you mean 'tiled'"), implementation("tile"):
        pass
    with pytest.raises(DrifaError, match="implementation='eager'"):
        MFA(4, implementation="eager")


def test_a_request_holds_for_its_thread_and_ends_with_its_block() -> None:
    seen = []
    with implementation("reference", tile=3):
        thread = threading.Thread(target=lambda: seen.append(_asked.get()))
        thread.start()
        thread.join()
        seen.append(_asked.get())
    assert seen == [(None, None), ("reference", 3)]
    assert _asked.get() == (None, None)
