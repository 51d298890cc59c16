"""Maps of relevance say where, and leave no trace in the network."""

from __future__ import annotations

import gc

import pytest
import torch

from drifa.errors import DrifaError
from drifa.explain.cam import CELLS, METHODS, Relevance, correlation, ensemble_relevance, layer_of, relevance, stage_of
from tests.networks.tiny import images, tiny

CLASSES = torch.tensor([0, 1, 2, 3])
TASK = "skin_lesion"


def hooks(net: torch.nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(part, kind)) for part in net.modules() for kind in kinds)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fusion", ["drifa", "concat", "single", "gloria", "mttu_net", "caf", "mtf_ma", "drifa_plus"])
def test_every_fusion_gives_maps_of_the_size_of_the_images(fusion: str, method: str) -> None:
    net, given = tiny(fusion), images()
    found = relevance(net, given, None, TASK, CLASSES, method=method)
    assert {name: x.shape for name, x in found.items()} == {name: x[:, 0].shape for name, x in given.items()}
    assert all(bool((x >= 0).all()) for x in found.values())
    assert any(float(x.max()) > 0 for x in found.values())


@pytest.mark.parametrize("method", METHODS)
def test_a_row_does_not_know_the_others_and_an_absent_image_has_no_map(method: str) -> None:
    net, given = tiny(), images()
    present = torch.tensor([[True, True], [True, False], [False, True], [True, True]])
    given["pap_smear"][1] = torch.nan
    together = relevance(net, given, present, TASK, CLASSES, method=method)
    assert bool(together["pap_smear"][1].isnan().all())
    assert bool(together["dermoscopy"][2].isnan().all())
    for row in range(4):
        own = {name: x[row : row + 1] for i, (name, x) in enumerate(given.items()) if present[row, i]}
        alone = relevance(net, own, present[row : row + 1], TASK, CLASSES[row : row + 1], method=method)
        for name, x in alone.items():
            torch.testing.assert_close(x[0], together[name][row], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_network_is_left_as_it_was(method: str) -> None:
    net, given = tiny().train(), images()
    net.branches["dermoscopy"].eval()
    next(net.parameters()).grad = kept = torch.ones_like(next(net.parameters()))
    modes = [part.training for part in net.modules()]
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    before = hooks(net)
    with torch.no_grad():
        relevance(net, given, None, TASK, CLASSES, method=method)
        with pytest.raises(DrifaError, match=r"1.*32|must be|shape"):
            relevance(net, {"dermoscopy": torch.zeros(4, 1, 40, 40)}, None, TASK, CLASSES, method=method)
    assert hooks(net) == before
    assert [part.training for part in net.modules()] == modes
    assert next(net.parameters()).grad is kept
    assert all(parameter.grad is None for parameter in list(net.parameters())[1:])
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())


def test_nothing_stays_in_memory_after_many_cases() -> None:
    net = tiny("concat")
    given = {name: x[:1] for name, x in images().items()}

    def tensors() -> int:
        gc.collect()
        return sum(isinstance(one, torch.Tensor) for one in gc.get_objects())

    relevance(net, given, None, TASK, CLASSES[:1])
    count, before = tensors(), hooks(net)
    for _ in range(200):
        relevance(net, given, None, TASK, CLASSES[:1])
    assert (tensors(), hooks(net)) == (count, before)


def test_frozen_networks_and_callers_in_inference_mode_get_the_same_maps() -> None:
    net, given = tiny(), {name: (40 * x + 128).clamp(0, 255).to(torch.uint8) for name, x in images().items()}
    expected = relevance(net, given, None, TASK, CLASSES)
    with torch.inference_mode():
        inside = relevance(net, given, None, TASK, CLASSES)
    net.requires_grad_(False)
    frozen = relevance(net, given, None, TASK, CLASSES)
    for name, x in expected.items():
        torch.testing.assert_close(inside[name], x)
        torch.testing.assert_close(frozen[name], x)


def test_gradcam_and_hirescam_are_what_they_say_for_a_network_that_is_linear_behind_its_maps() -> None:
    """Behind the last maps of `concat` stand a mean and a linear layer: both are the maps weighted by its row."""
    net, given = tiny("concat"), images()
    last = net.branches["dermoscopy"].infos[-1].name
    first, second = (relevance(net, given, None, TASK, CLASSES, last, name) for name in ("gradcam", "hirescam"))
    for name in given:
        torch.testing.assert_close(first[name], second[name])


def test_occlusion_finds_the_only_place_that_matters() -> None:
    net = tiny("concat")
    side = 40 // CELLS

    def bright(inputs, present=None):
        corner = inputs["dermoscopy"][:, :, side : 2 * side, 2 * side : 3 * side].mean(dim=(1, 2, 3))
        return {TASK: corner[:, None].expand(-1, 7)}

    net.forward = bright
    given = images()
    given["dermoscopy"] = torch.zeros(4, 3, 40, 40)
    given["dermoscopy"][:, :, side : 2 * side, 2 * side : 3 * side] = 1
    found = relevance(net, given, None, TASK, CLASSES, method="occlusion")
    assert int(found["dermoscopy"][0].argmax()) // 40 // side == 1
    assert int(found["dermoscopy"][0].argmax()) % 40 // side == 2
    assert float(found["pap_smear"].abs().max()) == 0


def test_what_speaks_for_an_answer_does_not_spread_into_what_speaks_against_it() -> None:
    net, given, side = tiny("concat"), images(), 40 // CELLS
    rows, left, right = slice(side, 2 * side), slice(2 * side, 3 * side), slice(3 * side, 4 * side)

    def contrast(inputs, present=None):
        own, other = (inputs["dermoscopy"][:, :, rows, place].mean(dim=(1, 2, 3)) for place in (left, right))
        return {TASK: (own - other)[:, None].expand(-1, 7)}

    net.forward = contrast
    given["dermoscopy"] = torch.zeros(4, 3, 40, 40)
    given["dermoscopy"][:, :, rows, 2 * side : 4 * side] = 1
    found = relevance(net, given, None, TASK, CLASSES, method="occlusion")["dermoscopy"]
    assert float(found[:, rows, left].min()) > 0
    assert float(found[:, rows, right].max()) == 0


def test_members_are_averaged_and_their_disagreement_told() -> None:
    nets, given = [tiny(), tiny("concat")], images()
    found = ensemble_relevance(nets, given, None, TASK, CLASSES)["dermoscopy"]
    assert found.members.shape == (2, 4, 40, 40)
    assert float(found.members.max()) <= 1 + 1e-6
    torch.testing.assert_close(found.agreement, correlation(*found.members))
    one = torch.rand(1, 4, 40, 40)
    same = Relevance(one.repeat(3, 1, 1, 1))
    assert float(same.disagreement.max()) < 1e-6
    torch.testing.assert_close(same.agreement, torch.ones(4))
    torch.testing.assert_close(same.mean, one[0])
    assert bool(Relevance(one).agreement.isnan().all())


def test_the_last_stage_of_enough_cells_is_read_unless_another_is_named() -> None:
    net = tiny()
    names = [info.name for info in net.branches["dermoscopy"].infos]
    for side, stage in ((224, 3), (192, 2), (64, 1), (40, 0), (20, 0)):
        square = {"dermoscopy": (side, side)}
        assert stage_of(net, None, square) == stage, side
        assert stage_of(net, names[-1], square) == 3
    assert stage_of(net, None, {"dermoscopy": (224, 224), "pap_smear": (300, 64)}) == 1  # the smallest side decides
    given = images()
    usual = relevance(net, given, None, TASK, CLASSES)
    assert layer_of(net, given) == names[0]
    for name, expected in ((names[0], True), (names[-1], False)):
        other = relevance(net, given, None, TASK, CLASSES, layer=name)
        assert torch.equal(other["dermoscopy"], usual["dermoscopy"]) == expected


def test_mistakes_are_told_in_a_sentence() -> None:
    net, given = tiny(), images()
    last = net.branches["dermoscopy"].infos[-1].name
    for arguments, message in (
        ({"layer": last + "x"}, f"is not a stage of this network.*{last}"),
        ({"method": "gradcan"}, "is not known.*gradcam"),
        ({"task": "skin_lesions"}, "is not one of this network.*skin_lesion"),
    ):
        with pytest.raises(DrifaError, match=message):
            relevance(**{"net": net, "inputs": given, "present": None, "task": TASK, "outputs": CLASSES, **arguments})
    small = {name: torch.randn(4, 3, 32, 32) for name in given}
    with pytest.raises(DrifaError, match=r"have one pixel at the layer .* no map of relevance; take an earlier layer") as told:
        relevance(net, small, None, TASK, CLASSES, last)
    remedy = str(told.value).split("such as '")[1].split("'")[0]
    assert float(relevance(net, small, None, TASK, CLASSES, layer=remedy)["dermoscopy"].max()) > 0
