"""Tiles cover every pixel of every image once, and what is spread over them comes from the right image."""

from __future__ import annotations

import pytest
import torch

from drifa.attention.tiles import Space, columns_of, inside, spread, tiles_of


@pytest.mark.parametrize("tile", [1, 5, 12, 24, 30, 1000])
def test_every_pixel_of_every_image_is_in_one_tile(tile: int) -> None:
    x = torch.arange(5 * 2 * 3 * 4.0).view(5, 2, 3, 4)
    groups, spans = tiles_of(x, tile)
    found = [columns_of(x.flatten(2), images, span) for images in groups for span in spans]
    assert all(columns.shape[1] <= tile for columns in found)
    assert torch.equal(torch.cat(found, dim=1)[0].sort().values, x[:, 0].flatten())


def test_a_tile_of_one_image_is_no_copy() -> None:
    for x in (torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6).to(memory_format=torch.channels_last)):
        columns = columns_of(x.flatten(2), slice(1, 2), slice(9, 18))
        assert columns.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


def test_each_image_gets_its_own_value() -> None:
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert spread(vectors, torch.empty(2, 4)).tolist() == [[1, 1, 3, 3], [2, 2, 4, 4]]


def test_a_place_is_in_one_tile_only() -> None:
    places, values = torch.tensor([[0, 5], [4, 3]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    channel, column, value = inside(places, values, slice(3, 6))
    assert list(zip(channel.tolist(), column.tolist(), value.tolist(), strict=True)) == [(1, 2, 2), (0, 4, 3), (1, 3, 4)]
    assert inside(places, values, slice(0, 3))[2].tolist() == [1]


def test_memory_is_used_again() -> None:
    space = Space(torch.zeros(1, dtype=torch.float64))
    first = space("a", 3, 4)
    assert first.dtype == torch.float64
    assert space("a", 2, 5).data_ptr() == first.data_ptr()
    assert space("b", 2, 5).data_ptr() != first.data_ptr()
    assert space("a", 4, 5).shape == (4, 5)
