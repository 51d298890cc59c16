"""Blocks change nothing but the memory."""

from __future__ import annotations

import numpy as np

from drifa.data.reading.blocks import BLOCK, to_bytes


def test_blocks_give_what_the_whole_array_gives_and_see_every_row_once() -> None:
    values = np.arange(3 * BLOCK, dtype=np.int64).reshape(-1, 1000 if BLOCK % 1000 == 0 else 1024)
    rows: list[int] = []

    def shade(block: np.ndarray) -> np.ndarray:
        rows.append(len(block))
        assert block.size <= BLOCK
        return block / values.size * 255

    np.testing.assert_array_equal(to_bytes(values, shade), np.floor(values / values.size * 255 + 0.5))
    assert sum(rows) == len(values)
    assert len(rows) > 1


def test_what_lies_outside_is_clipped_and_colours_are_an_axis_more() -> None:
    values = np.array([[-5.0, 0.4], [0.6, 300.0]])
    assert to_bytes(values, lambda block: block).tolist() == [[0, 0], [1, 255]]
    colours = to_bytes(values, lambda block: np.stack([block, block + 10], axis=-1), (2,))
    assert colours.shape == (2, 2, 2)
    assert colours[0, 0].tolist() == [0, 5]
