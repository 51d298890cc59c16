"""Twins at another focus: found where both pictures are soft, without strangers, and by a bar that strangers set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from drifa.data.audit import near_duplicates
from drifa.data.audit.focus import better_than_strangers, out_of_focus
from drifa.data.audit.reading import thumbnail
from tests.data.audit.pictures import scene


def blurred(image: Image.Image, share: float) -> Image.Image:
    """Blurred by a Gaussian whose scale is this share of the width."""
    return image.filter(ImageFilter.GaussianBlur(share * image.width))


def test_a_picture_out_of_focus_is_told_from_a_sharp_one() -> None:
    sharp = np.stack([thumbnail(np.asarray(scene(seed))) for seed in range(6)])
    soft = np.stack([thumbnail(np.asarray(blurred(scene(seed), 0.03))) for seed in range(6)])
    assert not out_of_focus(sharp).any()
    assert out_of_focus(soft).all()


def test_the_same_scene_at_another_focus_is_a_twin_and_no_other_is() -> None:
    collection = [blurred(scene(seed), 0.015) for seed in range(40)]
    again = [blurred(scene(seed), 0.035) for seed in range(4)]
    pairs = near_duplicates([np.asarray(image) for image in [*collection, *again]])
    assert {(pair.first, pair.second) for pair in pairs} == {(seed, 40 + seed) for seed in range(4)}


def test_no_pair_counts_that_agrees_less_than_a_turned_one() -> None:
    pairs = np.array([[0, 1, 0], [2, 3, 0], [4, 5, 3], [6, 7, 0], [6, 7, 1]])
    whole = np.array([0.95, 0.92, 0.93, 0.97, 0.96])
    blocks = np.array([0.9, 0.9, 0.9, 0.9, 0.9])
    # Of 6 and 7 the unturned pair agrees better, so the turned one is no stranger.
    assert better_than_strangers(pairs, whole, blocks).tolist() == [True, False, False, True, False]
    blocks[0] = 0.5
    assert not better_than_strangers(pairs, whole, blocks)[0]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("im_Parabasal/im_Parabasal/CROPPED/099_03.jpg", "im_Parabasal/im_Parabasal/CROPPED/100_02.jpg"),
        ("im_Dyskeratotic/im_Dyskeratotic/CROPPED/060_01.jpg", "im_Dyskeratotic/im_Dyskeratotic/CROPPED/061_01.jpg"),
        ("im_Parabasal/im_Parabasal/CROPPED/014_01.jpg", "im_Parabasal/im_Parabasal/CROPPED/016_10.jpg"),
    ],
)
def test_a_real_cell_at_another_focus_is_found(real: Callable[[str], Path], one: str, two: str) -> None:
    folder = real("sipakmed")
    if not ((folder / one).is_file() and (folder / two).is_file()):
        pytest.skip("the copy of SIPaKMeD is reduced and lacks this cell")
    others = sorted(folder.glob("*/*/CROPPED/*.jpg"))[::80]
    own = [folder / one, folder / two]
    paths = [*own, *(path for path in others if path not in own)]
    pairs = near_duplicates([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    assert (0, 1) in {(pair.first, pair.second) for pair in pairs}
