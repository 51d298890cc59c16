"""Every fusion serves a task of classes beside one that gives a value with its variance, whatever is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drifa import DrifaError, create_model, load_model, save_model
from drifa.fusion import FUSIONS
from drifa.links import LINKS
from tests.fusion.contract import MIXED
from tests.fusion.parts import OPTIONS
from tests.studies import TINY_NET

NAMES = {"a": 3, "b": 1}
TASKS = {"grade": 3, "age": 2}


def build(fusion: str = "drifa", **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "fusion_args": OPTIONS.get(fusion, {}),
        "modalities": NAMES,
        "tasks": TASKS,
        "task_modalities": {"grade": ["a"], "age": ["b"]},
        "links": {"age": "gaussian"},
        "backbone_args": TINY_NET,
    }
    return create_model(fusion=fusion, **{**arguments, **changes})


def images() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(4, channels, 40, 40, generator=generator) for name, channels in NAMES.items()}


def loss(net: nn.Module, present: Tensor | None) -> Tensor:
    outputs, auxiliary = net.training_logits(images(), present)
    grades, ages = torch.tensor([0, 1, 2, 1]), torch.tensor([-1.0, 0.5, 0.2, 1.0])
    moments = [LINKS["gaussian"].answer(value) for value in outputs["age"]]
    parts = {
        "grade": torch.stack([F.cross_entropy(value, grades) for value in outputs["grade"]]).sum(),
        "age": torch.stack([F.gaussian_nll_loss(value[:, 0], ages, value[:, 1]) for value in moments]).sum(),
    }
    return net.fusion.combine(parts, {"grade": 0.5, "age": 0.5}) + sum(auxiliary.values())


@pytest.mark.parametrize("present", [None, MIXED], ids=["all", "mixed"])
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_a_step_of_training_lowers_the_loss_of_classes_and_moments_together(fusion: str, present: Tensor | None) -> None:
    net = build(fusion, dropout=0.0)
    found = net.eval()(images(), present)
    assert {task: tuple(value.shape) for task, value in found.items()} == {"grade": (4, 3), "age": (4, 2)}
    assert all(value.isfinite().all() for value in found.values())
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-3)  # in evaluation mode nothing is random but the step
    before = loss(net, present)
    before.backward()
    assert [name for name, parameter in net.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())
    optimiser.step()
    assert loss(net, present) < before


def test_a_folder_keeps_the_links_and_says_nothing_of_them_without(tmp_path: Path) -> None:
    net = build("caf").eval()
    assert net.config["links"] == {"grade": "softmax", "age": "gaussian"}
    again = load_model(save_model(net, tmp_path))
    assert again.config == net.config
    with torch.no_grad():
        assert all(torch.equal(again(images(), MIXED)[task], value) for task, value in net(images(), MIXED).items())
    for links in (None, {}, {"grade": "softmax"}):
        assert "links" not in build(links=links).config


def test_a_control_is_matched_to_drifa_with_the_same_links() -> None:
    wide = {"layers": [1, 1, 1, 1], "channels": [16, 16, 32, 32]}
    net = build("se_matched", fusion_args={}, tasks={"grade": 3, "age": 1}, links={"age": "identity"}, backbone_args=wide)
    assert net.config["fusion_args"]["ratio"] > 0


def test_mttu_net_learns_no_weight_for_a_task_that_learns_its_noise() -> None:
    fusion = build("mttu_net").fusion
    assert list(fusion.log_variance) == ["grade"]
    losses = {"grade": torch.tensor(3.0), "age": torch.tensor(-4.0)}
    assert fusion.combine(losses, {"grade": 7.0, "age": 0.5}).item() == pytest.approx(1.5 - 2.0)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"links": {"agee": "identity"}}, "did you mean 'age'"),
        ({"links": {"age": "gausian"}}, "did you mean 'gaussian'"),
        ({"links": {"age": "log"}}, r"links\['age'\]='log' is not known \(choices: softmax, identity, gaussian\)"),
        ({"links": {"age": "identity"}}, "task 'age' has 2 outputs; exactly 1"),
        ({"tasks": {"grade": 3, "age": 0}}, "task 'age' has 0 outputs"),
        ({"tasks": {"grade": 1, "age": 2}}, "task 'grade' has 1 outputs; at least 2"),
    ],
)
def test_wrong_links_are_refused_with_the_remedy(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        build(**changes)
