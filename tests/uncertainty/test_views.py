"""Views: each mirror image and turn once, the image itself first."""

from __future__ import annotations

import pytest
import torch

from drifa.uncertainty.views import View, make_views

FLIPS, TURNS = ("flip", "flip_vertical"), ("quarter_turns",)


@pytest.mark.parametrize(
    ("tta", "count"),
    [
        ((), 1),
        (("flip",), 2),
        (FLIPS, 4),
        (("quarter_turns",), 4),
        (("flip", "quarter_turns"), 8),
        ((*FLIPS, "quarter_turns"), 8),
    ],
)
def test_every_view_is_another_and_the_first_is_the_image(tta, count):
    image = torch.arange(18.0).view(2, 3, 3)
    views = make_views(tta)
    seen = [view(image) for view in views]
    assert views[0] == View()
    assert torch.equal(seen[0], image)
    assert len(seen) == count == len({tuple(x.flatten().tolist()) for x in seen})


def test_views_are_a_group():
    """A view of a view is one of them, so that an answer does not depend on which of them an image comes as."""
    image = torch.arange(9.0).view(1, 3, 3)
    views = make_views((*FLIPS, "quarter_turns"))
    seen = {tuple(view(image).flatten().tolist()) for view in views}
    assert {tuple(view(views[5](image)).flatten().tolist()) for view in views} == seen
