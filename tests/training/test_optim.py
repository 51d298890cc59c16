"""What is stepped and how far: groups, the cosine, the running average."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import drifa
from drifa.config import TrainConfig
from drifa.networks.folder import save_weights
from drifa.training.optim import RunningAverage, cosine_factor, make_optimizer, parameter_groups, trunk_parameters
from tests.studies import TINY_NET


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> drifa.FusionNet:
    """Two branches, one of them with weights of a file."""
    import timm

    path: Path = tmp_path_factory.mktemp("weights") / "plain.safetensors"
    save_weights(timm.create_model("resnet18", **TINY_NET), path)
    return drifa.create_model(
        modalities={"a": 3, "b": 3}, tasks={"t": 2}, backbone_args=TINY_NET, pretrained={"a": str(path), "b": False}
    )


def test_all_alike_is_one_group_in_the_order_of_the_network(pretrained: drifa.FusionNet) -> None:
    (group,) = parameter_groups(pretrained, TrainConfig())
    assert all(one is other for one, other in zip(group["params"], pretrained.parameters(), strict=True))


def test_biases_norms_and_omegas_never_decay(pretrained: drifa.FusionNet) -> None:
    groups = parameter_groups(pretrained, TrainConfig(weight_decay=0.1, optimizer="adamw"))
    decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    assert len(decay) == len(list(pretrained.parameters()))
    for name, parameter in pretrained.named_parameters():
        spared = parameter.ndim == 1 or "omega" in name
        assert decay[id(parameter)] == (0 if spared else 0.1), name


def test_only_what_was_read_of_a_file_is_the_trunk(pretrained: drifa.FusionNet) -> None:
    trunk = {id(parameter) for parameter in trunk_parameters(pretrained)}
    names = {name for name, parameter in pretrained.named_parameters() if id(parameter) in trunk}
    assert names
    assert all(name.startswith("branches.a.") for name in names)
    assert not any("mfa" in name.lower() or "omega" in name for name in names)
    rates = {group["lr"] for group in parameter_groups(pretrained, TrainConfig(lr=0.01, trunk_lr=0.1))}
    assert sorted(rates) == pytest.approx([0.001, 0.01])
    first = make_optimizer(pretrained, TrainConfig(lr=0.01, trunk_lr=0.1)).param_groups[0]
    assert first["lr"] == 0.01


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_every_optimizer_descends(name: str) -> None:
    net = nn.Linear(3, 1)
    net.loaded = {}  # type: ignore[assignment]
    optimizer = make_optimizer(net, TrainConfig.model_validate({"optimizer": name, "lr": 0.05}))
    x = torch.randn(64, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]])

    def loss() -> torch.Tensor:
        return (net(x) - y).square().mean()

    before = loss().item()
    for _ in range(100):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 0.05 * before


def test_the_cosine_rises_falls_and_ends_at_its_floor() -> None:
    rates = [cosine_factor(step / 1000, 0.1, 0.01) for step in range(1001)]
    assert rates[0] == 0
    assert max(rates) == pytest.approx(1)
    assert rates.index(max(rates)) == 100
    assert rates[-1] == pytest.approx(0.01)
    assert all(one > other for one, other in pairwise(rates[100:]))
    # Half way down it is half way between both.
    assert cosine_factor(0.55, 0.1, 0.01) == pytest.approx((1 + 0.01) / 2)
    assert cosine_factor(0.0, 0.0, 0.01) == 1


def test_the_average_follows_slowly_and_at_first_fast() -> None:
    net = nn.BatchNorm1d(2)
    averaged = RunningAverage(net, 0.9)
    with torch.no_grad():
        net.weight.fill_(5.0)
    averaged.update_parameters(net)
    torch.testing.assert_close(averaged.module.weight, net.weight)  # the first update is a copy
    for _ in range(200):
        averaged.update_parameters(net)
    with torch.no_grad():
        net.weight.fill_(15.0)
        net.running_mean.fill_(3.0)
    averaged.update_parameters(net)
    torch.testing.assert_close(averaged.module.weight, torch.full((2,), 6.0))
    torch.testing.assert_close(averaged.module.running_mean, torch.full((2,), 0.3))
    assert not any(parameter.requires_grad for parameter in averaged.parameters())


def test_the_average_is_torchs_own_and_leaves_what_is_not_trained() -> None:
    torch.manual_seed(0)
    shared = nn.Linear(3, 3)
    net = nn.Sequential(shared, nn.BatchNorm1d(3), shared, nn.Linear(3, 2))
    net[3].requires_grad_(False)

    def step(averaged: list[torch.Tensor], current: list[torch.Tensor], count: torch.Tensor) -> None:
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - min(0.95, (1 + int(count)) / (10 + int(count))))
            else:
                old.copy_(new)

    ours, theirs = RunningAverage(net, 0.95), AveragedModel(net, multi_avg_fn=step, use_buffers=True)
    optimizer = torch.optim.SGD([parameter for parameter in net.parameters() if parameter.requires_grad], lr=0.1)
    for _ in range(7):
        optimizer.zero_grad()
        net(torch.rand(8, 3)).square().mean().backward()
        optimizer.step()
        ours.update_parameters(net)
        theirs.update_parameters(net)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name
    assert torch.equal(ours.module[3].weight, net[3].weight)
    assert not torch.equal(ours.module[0].weight, net[0].weight)
