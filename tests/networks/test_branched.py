"""What a network answers for subsets of the modalities."""

from __future__ import annotations

import pytest
import torch

from drifa import create_model, create_segmentation_model
from drifa.fusion import FUSIONS
from drifa.present import subset_mask, subsets_of
from tests.studies import TINY_NET

NAMES = ("a", "b")


def network(fusion: str, kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if kind == "segmentation":
        return create_segmentation_model(fusion, {"a": 1, "b": 1}, {"t": 2}, width=1 / 16).eval()
    owners = {"t": ["a"], "u": ["b"]}
    return create_model(
        fusion=fusion, modalities={"a": 1, "b": 1}, tasks={"t": 2, "u": 3}, task_modalities=owners, backbone_args=TINY_NET
    ).eval()


@pytest.mark.parametrize("kind", ["classification", "segmentation"])
@pytest.mark.parametrize("fusion", ["drifa", "concat", "caf"])
def test_subsets_equal_one_pass_each(fusion, kind):
    net = network(fusion, kind)
    images = {name: torch.randn(3, 1, 32, 32) for name in NAMES}
    present = torch.tensor([[True, True], [True, False], [False, True]])
    subsets = subsets_of(NAMES)
    answers = net.over_subsets(images, present, subset_mask(subsets, NAMES))
    for subset, answer in zip(subsets, answers, strict=True):
        here = present & subset_mask([subset], NAMES)
        rows = here.any(dim=1)
        alone = net({name: images[name][rows] for name in NAMES}, here[rows])
        for task, expected in alone.items():
            torch.testing.assert_close(answer[task][rows], expected)
            assert answer[task][~rows].isnan().all()


def test_a_subset_that_no_row_has_is_none():
    net = network("concat", "classification")
    answers = net.over_subsets({"a": torch.randn(2, 1, 32, 32)}, None, subset_mask([("a",), ("b",)], NAMES))
    assert answers[0] is not None
    assert answers[1] is None


def test_what_does_not_couple_runs_its_branches_once():
    calls = []
    net = network("concat", "classification")
    net({"a": torch.randn(2, 1, 32, 32)})  # a size that is new to a branch is tried once
    net.branches["a"].stages[-1].register_forward_hook(lambda *_: calls.append(1))
    net.over_subsets({name: torch.randn(2, 1, 32, 32) for name in NAMES}, None, subset_mask(subsets_of(NAMES), NAMES))
    assert len(calls) == 1


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_only_fusions_that_say_so_couple_the_branches(fusion):
    net = network(fusion, "classification")
    first = torch.randn(2, 1, 32, 32)
    net({"a": first})  # a size that is new to a branch is tried once
    maps = []
    net.branches["a"].stages[-1].register_forward_hook(lambda _, __, output: maps.append(output))
    for other in (torch.randn(2, 1, 32, 32), torch.randn(2, 1, 32, 32)):
        net({"a": first, "b": other})
    if not net.fusion.couples:
        assert torch.equal(maps[0], maps[1])


@pytest.mark.parametrize(("backbone", "last"), [("ghostnet_050", True), ("resnet18", False), ("fastvit_t8", False)])
def test_images_are_laid_out_channels_last_where_that_is_faster_and_safe_with_the_same_answers(backbone, last):
    torch.manual_seed(0)
    net = create_model(backbone, "concat", {"a": 3, "b": 3}, {"t": 2}).eval()
    seen = []
    for branch in net.branches.values():
        branch.stages[0].register_forward_pre_hook(lambda module, x: seen.append(x[0]))
    images = {name: torch.randn(2, 3, 64, 64) for name in NAMES}
    with torch.no_grad():
        found = net(images)["t"]
        laid_out = [x.is_contiguous(memory_format=torch.channels_last) for x in seen if not x.is_meta]
        assert laid_out[-2:] == [last, last]
        for branch in net.branches.values():
            branch.memory_format = torch.contiguous_format
        torch.testing.assert_close(net(images)["t"], found, atol=1e-5, rtol=1e-5)
