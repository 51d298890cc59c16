"""Compiled blocks: the same network, faster on a GPU."""

from __future__ import annotations

import copy
import logging

import pytest
import torch

from drifa import create_model
from drifa.config import make_config
from drifa.training.compiled import compile_blocks, compiles
from tests.studies import TINY_NET

MODALITIES = {"photo": 3, "scan": 1}


def small_net(fusion: str = "drifa", **options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model(
        fusion=fusion, modalities=MODALITIES, tasks={"grade": 3, "site": 2}, backbone_args=TINY_NET, dropout=0.0, **options
    )


def batch(rows: int, seed: int) -> tuple[dict[str, torch.Tensor], torch.Tensor | None]:
    generator = torch.Generator().manual_seed(seed)
    images = {name: torch.rand(rows, channels, 32, 32, generator=generator) for name, channels in MODALITIES.items()}
    present = torch.rand(rows, 2, generator=generator) > 0.4
    present[~present.any(1)] = True
    return images, None if seed == 0 else present


def step(net: torch.nn.Module, rows: int, seed: int) -> dict[str, torch.Tensor]:
    net.zero_grad()
    outputs, _ = net.train().training_logits(*batch(rows, seed))
    sum(value.square().sum() for values in outputs.values() for value in values).backward()
    return {name: parameter.grad for name, parameter in net.named_parameters() if parameter.grad is not None}


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["drifa", "gloria"])
def test_compiled_blocks_give_the_same_gradients_for_any_rows_without_compiling_again(fusion: str) -> None:
    plain = small_net(fusion)
    net = copy.deepcopy(plain)
    torch._dynamo.reset()
    assert compile_blocks(net, (32, 32), backend="aot_eager")
    assert net.state_dict().keys() == plain.state_dict().keys()
    for name, value in plain.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name
    for rows, seed in ((6, 0), (9, 1)):  # the second step shows the programs a part of a batch
        step(net, rows, seed), step(plain, rows, seed)
    counted = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for rows, seed in ((5, 2), (12, 3), (7, 0), (8, 4)):
        found, expected = step(net, rows, seed), step(plain, rows, seed)
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(
                found[name], gradient, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
            )
    assert counted > 0
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == counted


@pytest.mark.slow
def test_the_compiler_of_torch_itself_gives_the_same_answers() -> None:
    plain = small_net()
    net = copy.deepcopy(plain)
    assert compile_blocks(net, (32, 32))
    for rows, seed in ((6, 0), (9, 1)):
        found, expected = step(net, rows, seed), step(plain, rows, seed)
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-4)


def test_a_compiler_that_fails_is_told_once_and_the_blocks_run_as_before(caplog: pytest.LogCaptureFixture) -> None:
    def broken(graph: object, examples: object) -> object:
        raise RuntimeError("no compiler here")

    plain = small_net()
    net = copy.deepcopy(plain)
    torch._dynamo.reset()
    with caplog.at_level(logging.WARNING, logger="drifa"):
        assert not compile_blocks(net, (32, 32), backend=broken)
    (told,) = [record.message for record in caplog.records if record.name == "drifa"]
    assert "no compiler here" in told
    assert "train.compile=none" in told
    found, expected = step(net, 6, 1), step(plain, 6, 1)
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())


def test_auto_compiles_on_a_gpu_alone() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    recipes = {
        name: make_config({"data": {"study": "s"}, "train": {"compile": name}}).train for name in ("auto", "none", "blocks")
    }
    assert [compiles(recipe, cpu) for recipe in recipes.values()] == [False, False, True]
    assert [compiles(recipe, gpu) for recipe in recipes.values()] == [True, False, True]
