"""What the presence mask means, in rows, sums, means and subsets."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from drifa.errors import DrifaError
from drifa.present import (
    MOST_MODALITIES,
    answers_task,
    column,
    keep,
    mean_present,
    run_present,
    subset_mask,
    subsets_of,
    sum_present,
)

MASK = torch.tensor([True, False, False, True])


def test_a_missing_mask_means_every_row() -> None:
    x = torch.randn(4, 2)
    assert column(None, 1) is None
    assert torch.equal(keep(x, None), x)
    assert torch.equal(sum_present([x, None, x], [None, None, None]), x + x)
    assert torch.equal(mean_present([x, 3 * x], [None, None]), torch.stack([x, 3 * x]).mean(0))
    assert torch.equal(run_present(nn.Identity(), x, None), x)


def test_a_column_is_one_modality_of_the_mask() -> None:
    present = torch.stack([MASK, ~MASK], dim=1)
    assert torch.equal(column(present, 0), MASK)
    assert torch.equal(column(present, 1), ~MASK)


@pytest.mark.parametrize("shape", [(4,), (4, 2), (4, 2, 3, 3)])
def test_sums_and_means_are_those_of_the_rows_present(shape: tuple[int, ...]) -> None:
    x, y = torch.randn(shape), torch.randn(shape)
    rows = MASK.view(-1, *[1] * (len(shape) - 1))
    torch.testing.assert_close(sum_present([x, y], [None, MASK]), torch.where(rows, x + y, x))
    torch.testing.assert_close(mean_present([x, y], [None, MASK]), torch.where(rows, (x + y) / 2, x))
    assert (mean_present([y], [MASK])[1:3] == 0).all()


@pytest.mark.parametrize("pool", [sum_present, mean_present])
def test_nan_in_an_absent_slot_leaks_into_no_value_and_no_gradient(pool) -> None:
    x, y = torch.randn(4, 2), torch.randn(4, 2)
    y[~MASK] = torch.nan
    y.requires_grad_()
    found = pool([x, y], [None, MASK])
    assert found.isfinite().all()
    found.sum().backward()
    assert y.grad.isfinite().all()


def test_statistics_are_those_of_the_rows_present() -> None:
    x = torch.randn(4, 2)
    norm, other = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    found = run_present(norm, x, MASK)
    torch.testing.assert_close(found[MASK], other(x[MASK]))
    assert (found[~MASK] == 0).all()
    torch.testing.assert_close(norm.running_mean, other.running_mean)


def test_a_single_row_leaves_frozen_parts_frozen() -> None:
    module = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2)).train()
    module[1].eval()
    run_present(module, torch.randn(3, 2), torch.tensor([False, True, False]))
    assert (module.training, module[0].training, module[1].training) == (True, True, False)


def test_subsets_are_all_and_the_smallest_come_first() -> None:
    assert subsets_of("abc") == [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")]
    assert subset_mask([("c", "a"), ("b",)], "abc").tolist() == [[True, False, True], [False, True, False]]


def test_too_many_modalities_are_refused() -> None:
    names = [f"m{n}" for n in range(MOST_MODALITIES + 1)]
    assert len(subsets_of(names[:-1])) == 2**MOST_MODALITIES - 1
    with pytest.raises(DrifaError, match="511 subsets"):
        subsets_of(names)


def test_images_say_which_tasks_are_asked_and_values_alone_are_asked_all() -> None:
    skin, tables = {"photo", "clinic"}, {"clinic"}
    assert answers_task({"photo"}, skin, tables)
    assert answers_task({"photo", "clinic"}, skin, tables)
    assert answers_task({"clinic"}, skin, tables)
    assert not answers_task({"ct", "clinic"}, skin, tables)
    assert not answers_task({"ct"}, skin, tables)
    assert not answers_task(set(), skin, tables)
