"""Alignment: fine structure, shifts and turns are found, and another picture does not agree."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.data.audit.alignment import MARGIN, SIDE, aligned_agreement, best_shift, fine_structure, turn
from drifa.data.audit.pairs import BLOCKS, WHOLE
from tests.data.audit.pictures import scene


def test_fine_structure_ignores_brightness_and_contrast() -> None:
    pictures = np.asarray(scene(1).convert("L").resize((SIDE, SIDE)))[None] * 0.5 + 20
    one, two = fine_structure(pictures), fine_structure(1.6 * pictures + 30)
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("orientation", range(8))
def test_the_eight_turns_are_different_and_each_is_undone_by_one_of_them(orientation: int) -> None:
    square = np.arange(9).reshape(1, 3, 3)
    assert len({turn(square, other).tobytes() for other in range(8)}) == 8
    # The two quarter turns undo each other; every other turn or flip undoes itself.
    inverse = {5: 6, 6: 5}.get(orientation, orientation)
    assert (turn(turn(square, orientation), inverse) == square).all()


@pytest.mark.parametrize("step", [(0, 0), (2, -1), (-2, 2)])
def test_the_shift_is_the_one_that_was_made(step: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).normal(size=(1, 24, 24)).astype(np.float32)
    correlation, shift = best_shift(picture, np.roll(picture, step, axis=(1, 2)), reach=2)
    assert shift.tolist() == [list(step)]
    assert correlation == pytest.approx(1, abs=1e-4)


def fine(*seeds: int) -> np.ndarray:
    return fine_structure(np.stack([np.asarray(scene(seed).convert("L").resize((SIDE, SIDE))) for seed in seeds]))


def test_a_moved_picture_agrees_in_every_block_and_another_picture_in_none() -> None:
    one = fine(1, 2, 3)
    moved = np.roll(one, (1, -2), axis=(1, 2))
    whole, blocks = aligned_agreement(one, moved, np.tile([1.0, -2.0], (3, 1)))
    assert (whole > 0.99).all()
    assert (blocks > 0.99).all()
    # Begun one pixel off, least squares finds the rest of the way.
    assert (aligned_agreement(one, moved, np.tile([1.0, -1.0], (3, 1)), steps=8)[0] > 0.95).all()
    whole, blocks = aligned_agreement(one, fine(11, 12, 13), np.zeros((3, 2)))
    assert (whole < WHOLE).all()
    assert (blocks < BLOCKS).all()


def test_the_blocks_tell_a_picture_that_differs_in_five_of_sixteen_and_forgive_three() -> None:
    one, side = fine(1), (SIDE - 2 * MARGIN) // 4
    for count, expected in ((3, True), (5, False)):
        changed = one.copy()
        for row, column in [(0, 0), (0, 1), (1, 3), (2, 2), (3, 0)][:count]:
            rows, columns = (slice(MARGIN + place * side, MARGIN + (place + 1) * side) for place in (row, column))
            changed[0, rows, columns] *= -1
        assert bool(aligned_agreement(one, changed, np.zeros((1, 2)))[1][0] > 0.9) == expected
