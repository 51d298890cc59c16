"""A pass that has begun is picked by rows, repeated by draws, and run once per subset on the rows that have something of it."""

from __future__ import annotations

import torch

from drifa.networks.begun import Begun, run_subsets

PRESENT = torch.tensor([[True, True], [True, False], [False, True]])
BEGUN = Begun(0, [torch.arange(3.0).view(3, 1, 1, 1), torch.arange(10.0, 13).view(3, 1, 1, 1)], PRESENT)


def first(begun: Begun) -> list[float | None]:
    return [None if x is None else x.flatten()[0].item() for x in begun.features]


def test_copies_stand_one_behind_the_other() -> None:
    assert BEGUN.repeated(1) is BEGUN
    twice = BEGUN.repeated(2)
    assert twice.rows == 6
    assert twice.features[0] is not None
    assert twice.features[0].flatten().tolist() == [0, 1, 2, 0, 1, 2]
    assert twice.present is not None
    assert torch.equal(twice.present, torch.cat([PRESENT, PRESENT]))


def test_a_modality_that_no_picked_row_has_is_left_out() -> None:
    picked = BEGUN.of_rows(torch.tensor([1]), torch.tensor([[True, False]]))
    assert first(picked) == [1, None]
    assert picked.present is not None
    complete = BEGUN.of_rows(torch.tensor([0]), torch.tensor([[True, True]]))
    assert complete.present is None


def test_subsets_run_on_their_rows_alone() -> None:
    asked: list[int] = []

    def run(part: Begun) -> dict[str, torch.Tensor]:
        asked.append(part.rows)
        return {"t": torch.ones(part.rows, 2)}

    subsets = torch.tensor([[True, False], [False, False], [True, True]])
    found = run_subsets(BEGUN, subsets, run)
    assert asked == [2, 3]
    assert found[0] is not None
    assert found[0]["t"].isnan().all(dim=1).tolist() == [False, False, True]
    assert found[1] is None
    assert found[2] is not None
    assert not found[2]["t"].isnan().any()
