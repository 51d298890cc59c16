"""Nested regions and exclusive classes are two forms of one thing."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from drifa import DrifaError
from drifa.networks.regions import classes_to_regions, region_probabilities, regions_to_classes


def test_nested_regions_and_exclusive_classes_are_two_forms_of_one_thing() -> None:
    classes = torch.randint(4, (2, 5, 6))
    regions = classes_to_regions(classes, 3)
    assert torch.equal(regions_to_classes(regions), classes)
    assert torch.equal(regions_to_classes(torch.zeros_like(regions)), torch.zeros_like(classes))
    sure = F.one_hot(classes, 4).movedim(-1, 1) * 100.0
    assert torch.equal(region_probabilities(sure, "classes") > 0.5, regions)
    with pytest.raises(DrifaError, match="row 1: region 2 of the list reaches outside region 1"):
        regions_to_classes(torch.tensor([[[1], [1]], [[0], [1]]]).bool())


def test_region_probabilities_are_probabilities_and_nested_when_they_come_from_classes() -> None:
    logits = 5 * torch.randn(7, 2, 4, 3, 3)
    nested = region_probabilities(logits, "classes")
    assert nested.shape == (7, 2, 3, 3, 3)
    assert bool((nested[:, :, 1:] <= nested[:, :, :-1]).all())
    torch.testing.assert_close(nested[:, :, 0], 1 - logits.softmax(2)[:, :, 0])
    assert torch.equal(region_probabilities(logits, "regions"), logits.sigmoid())
