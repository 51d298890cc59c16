"""The checks of a map tell a good one from a bad one."""

from __future__ import annotations

import pytest
import torch

from drifa.explain.cam import relevance
from drifa.explain.trust import STEPS, Removal, grown, randomisation, share_inside, shuffled
from drifa.networks.begun import Begun
from tests.networks.tiny import images, tiny

TASK, CLASSES = "skin_lesion", torch.tensor([0, 1, 2, 3])


def test_a_shuffled_network_has_the_same_numbers_in_another_order_and_the_first_is_untouched() -> None:
    net = tiny("concat")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    other = shuffled(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    changed = 0
    for own, its in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own.flatten().sort().values, its.flatten().sort().values)
        changed += not torch.equal(own, its)
    assert changed > 10
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), shuffled(net).parameters(), strict=True))


def test_the_randomisation_check_is_a_correlation_per_row() -> None:
    present = torch.tensor([[True, True], [True, False], [False, True], [True, True]])
    net, given = tiny("concat"), images()
    found = randomisation(relevance(net, given, present, TASK, CLASSES), shuffled(net), given, present, TASK, CLASSES)
    assert bool(found["dermoscopy"][2].isnan())
    assert all(float(x.nan_to_num().abs().max()) <= 1 + 1e-5 for x in found.values())


def test_an_empty_map_has_no_correlation(monkeypatch: pytest.MonkeyPatch) -> None:
    own = torch.rand(3, 6, 6)
    own[1] = 0
    monkeypatch.setattr("drifa.explain.trust.relevance", lambda *given, **named: {"dermoscopy": torch.rand(3, 6, 6)})
    found = randomisation({"dermoscopy": own}, tiny("concat"), images(), None, TASK, CLASSES)["dermoscopy"]
    assert found.isnan().tolist() == [False, True, False]


def test_a_map_of_the_place_that_matters_beats_random_maps_and_its_opposite_does_not() -> None:
    net, given = tiny("concat"), images()
    given["dermoscopy"] = torch.zeros(4, 3, 40, 40)
    given["dermoscopy"][:, :, 5:20, 5:20] = 1

    def bright(begun, keys):
        strength = 20 * begun.features[0][:, :, 5:20, 5:20].mean(dim=(1, 2, 3))
        return {TASK: torch.stack([strength, 10 - strength], dim=1)}

    net.begin_apart = lambda inputs, present: Begun(0, [inputs.get(name) for name in net.modalities], None)
    net.answers = bright
    removal, right = Removal(net, given, None, "dermoscopy"), given["dermoscopy"][:, 0]
    for maps, better in ((right, True), (1 - right, False)):
        found = removal.faithfulness(TASK, torch.zeros(4, dtype=torch.int64), maps)
        assert bool(((found.deletion < found.random) == better).all())
        assert bool(((found.insertion > found.random) == better).all())


@pytest.mark.parametrize("fusion", ["concat", "drifa", "caf"])
def test_pixels_go_as_if_the_network_were_asked_about_every_step(fusion: str) -> None:
    net, given = tiny(fusion), images()
    present = torch.tensor([[True, True], [True, False], [True, True], [True, True]])
    rows, outputs, maps = torch.tensor([3, 1]), torch.tensor([6, 2]), torch.rand(2, 40, 40)
    found = Removal(net, given, present, "dermoscopy").faithfulness(TASK, outputs, maps, rows)
    for row, output, own, deletion, insertion in zip(rows, outputs, maps, found.deletion, found.insertion, strict=True):
        image = given["dermoscopy"][row]
        blank = image.mean(dim=(1, 2), keepdim=True).expand_as(image)
        order = own.flatten().argsort(descending=True)
        for first, second, area in ((image, blank, deletion), (blank, image, insertion)):
            answers = []
            for step in range(STEPS + 1):
                state = first.flatten(1).clone()
                state[:, order[: step * 1600 // STEPS]] = second.flatten(1)[:, order[: step * 1600 // STEPS]]
                there = {"dermoscopy": state.view(1, 3, 40, 40), "pap_smear": given["pap_smear"][row][None]}
                with torch.no_grad():
                    answers.append(net(there, present[row][None])[TASK].softmax(dim=1)[0, output])
            torch.testing.assert_close(area, torch.trapezoid(torch.stack(answers)) / STEPS)


def test_random_maps_are_the_same_for_every_task_and_order_of_asking() -> None:
    net, given = tiny("concat"), images()
    removal, maps = Removal(net, given, None, "dermoscopy"), torch.rand(4, 40, 40)
    first = removal.faithfulness(TASK, CLASSES, maps)
    second = removal.faithfulness(TASK, CLASSES.flip(0), maps.flip(0), torch.arange(4).flip(0))
    torch.testing.assert_close(second.random.flip(0), first.random)
    torch.testing.assert_close(second.insertion.flip(0), first.insertion)


def test_the_share_inside_and_outside_is_everything_and_an_even_map_has_that_of_the_area() -> None:
    maps, mask = torch.rand(3, 8, 12), torch.rand(3, 8, 12) < 0.3
    inside = share_inside(maps, mask)
    torch.testing.assert_close(inside + share_inside(maps, ~mask), torch.ones(3))
    torch.testing.assert_close(share_inside(7 * maps, mask), inside)
    torch.testing.assert_close(share_inside(torch.ones(3, 8, 12), mask), mask.float().mean(dim=(1, 2)))
    torch.testing.assert_close(share_inside(maps.where(mask, -1), mask), torch.ones(3))
    assert bool(share_inside(torch.zeros(1, 8, 12), mask[:1]).isnan().all())


def test_a_mask_grows_by_one_cell_to_all_sides() -> None:
    mask = torch.zeros(1, 16, 24, dtype=torch.bool)
    mask[0, 8, 12] = True
    expected = torch.zeros_like(mask)
    expected[0, 4:13, 9:16] = True  # cells of 4 x 3 pixels
    assert torch.equal(grown(mask, (4, 8)), expected)
