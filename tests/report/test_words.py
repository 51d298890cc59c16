"""Numbers and names as the report writes them."""

from __future__ import annotations

from drifa.metrics import names
from drifa.metrics.classification import METRICS
from drifa.report import words
from drifa.uncertainty import modes


def test_every_metric_has_words_of_its_own() -> None:
    assert {name for group in names.GROUPS.values() for name in group} == set(METRICS)
    assert set(names.HEADLINE) <= set(METRICS)
    assert len({names.metric_words(name).label for name in METRICS}) == len(METRICS)
    assert names.metric_words("hd95_mm") == names.Words("Hd95 mm", "", "number")


def test_shares_are_percentages_and_other_numbers_are_not() -> None:
    assert words.written("accuracy", {"value": 0.8416, "low": 0.815, "high": 0.868}) == {
        "text": "84.2\u00a0%",
        "range": "81.5\u2009–\u200986.8",
    }
    assert words.written("nll", {"value": 0.8416, "low": None, "high": None}) == {"text": "0.842", "range": ""}
    assert words.written("auc", None) == {"text": "–", "range": ""}
    assert words.share(float("nan")) == words.number("x") == words.whole(None) == "–"
    assert words.whole(12_345) == "12\u2009345"


def test_durations_have_two_units() -> None:
    assert [words.duration(seconds) for seconds in (12.2, 200, 7500)] == ["12 s", "3 min 20 s", "2 h 05 min"]


def test_modes_are_ordered_by_thoroughness_and_say_what_is_averaged() -> None:
    assert modes.mode_order(["other", "mc", "deterministic", "ensemble_mc"]) == ["ensemble_mc", "mc", "deterministic", "other"]
    assert "5 networks × 20 passes" in modes.mode_words("ensemble_mc", 5, 20)
    assert "means over 5 networks" in modes.mode_words("deterministic", 5, 20)
    assert "first network" in modes.mode_words("mc", 5, 20, first_only=True)
    assert modes.mode_words("deterministic", 1, None) == "one network, one pass, dropout off"
