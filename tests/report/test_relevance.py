"""A map is doubted for each check that it fails, and for nothing that has no number."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from drifa.report.relevance import AGREED, ALIKE, checks, doubts, scale_bar, too_coarse

GOOD = {
    **{"largest": 0.9, "randomisation": 0.1, "agreement": 0.8},
    **{"insertion": 0.7, "deletion": 0.2, "random": 0.5},
}


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"randomisation": ALIKE}, ["shuffled weights"]),
        ({"randomisation": -0.9}, ["shuffled weights"]),
        ({"agreement": AGREED - 0.01}, ["networks draw different ones"]),
        ({"insertion": 0.5}, ["no sooner than random ones"]),
        ({"largest": 0.0, "randomisation": None, "agreement": None, "insertion": 0.1}, ["it is empty"]),
        ({"randomisation": 0.6, "agreement": 0.0}, ["shuffled weights", "networks draw different ones"]),
        ({"randomisation": None, "agreement": None, "insertion": None}, []),
        ({"randomisation": float("nan"), "random": None}, []),
    ],
)
def test_each_failed_check_is_a_reason(changes: dict[str, Any], reasons: list[str]) -> None:
    found = doubts({**GOOD, **changes})
    assert len(found) == len(reasons)
    assert all(reason in told for told, reason in zip(found, reasons, strict=True))


def test_checks_without_a_number_are_not_told() -> None:
    told = "shuffled weights 0.10, agreement 0.80, insertion 0.700, deletion 0.200, either by random pixels 0.500"
    assert checks(GOOD) == told
    assert checks({"largest": 1.0, "randomisation": None, "agreement": 0.5, "insertion": None}) == "agreement 0.50"


def test_a_grid_is_too_coarse_by_its_shorter_side() -> None:
    assert too_coarse([2, 2])
    assert too_coarse((3, 9))
    assert not too_coarse([4, 4])
    assert not too_coarse(None)


def test_the_scale_stands_alone_and_says_its_ends() -> None:
    bar = ElementTree.fromstring(str(scale_bar()))
    assert "0, none" in bar.attrib["aria-label"]
    assert [text.text for text in bar.iter("text")] == ["0: none", "1: the most in the map"]
