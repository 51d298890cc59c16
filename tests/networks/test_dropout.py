"""Keyed dropout: a mask belongs to its row."""

from __future__ import annotations

import torch

from drifa.networks.dropout import dropout, keyed_mask, pass_keys, row_seeds


def test_the_mask_of_a_row_does_not_depend_on_its_batch() -> None:
    keys = torch.randint(2**31, (8,))
    x = torch.randn(8, 3, 5, 5)
    together = dropout(x, 0.25, False, keys, site=3)
    order = torch.randperm(8)
    torch.testing.assert_close(dropout(x[order], 0.25, False, keys[order], site=3), together[order])
    torch.testing.assert_close(dropout(x[2:3], 0.25, False, keys[2:3], site=3), together[2:3])


def test_share_and_expectation_are_those_of_dropout() -> None:
    mask = keyed_mask(torch.arange(200), site=1, size=2000, p=0.25)
    assert abs(mask.float().mean().item() - 0.75) < 0.005
    kept = mask.float()
    # neither rows, nor positions, nor neighbours share a bias
    assert (kept.mean(0) - 0.75).abs().max() < 0.15
    assert (kept.mean(1) - 0.75).abs().max() < 0.06
    covariance = ((kept[:, 1:] - 0.75) * (kept[:, :-1] - 0.75)).mean()
    assert abs(covariance.item()) < 0.005


def test_rows_places_and_passes_get_different_masks() -> None:
    keys = torch.tensor([5, 6])
    masks = [keyed_mask(pass_keys(keys, draw), site, 4000, 0.5) for draw in (0, 1) for site in (0, 1)]
    rows = torch.cat(masks).float()
    agreement = (rows[:, None] == rows[None]).float().mean(-1)
    off_diagonal = agreement[~torch.eye(len(rows), dtype=torch.bool)]
    assert (off_diagonal - 0.5).abs().max() < 0.05


def test_without_keys_it_is_ordinary_dropout() -> None:
    x = torch.randn(4, 10)
    assert torch.equal(dropout(x, 0.5, False, None, 0), x)
    assert (dropout(x, 0.5, True, None, 0) == 0).any()
    assert torch.equal(dropout(x, 0.0, True, torch.arange(4), 0), x)


def test_the_seed_of_a_name_is_the_one_that_every_evaluation_has_used() -> None:
    """SEED/NAME, hashed; the numbers come from the functions for subjects, for slices and for new cases, which agree."""
    expected = torch.tensor([4234302689, 3034377269, 2151492841])
    found = row_seeds(["s1", "s2", "Zürich/7"], 7)
    assert found.dtype == torch.int64
    assert torch.equal(found, expected)
    assert torch.equal(row_seeds(["Zürich/7"], 7), expected[2:])
    assert not torch.equal(row_seeds(["s1"], 8), expected[:1])
    assert row_seeds([], 7).shape == (0,)
