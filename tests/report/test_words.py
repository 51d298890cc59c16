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
    assert names.metric_words("hd95_mm") == names.Metric("Hd95 mm", "", "number", "", (None, None))


def test_shares_are_percentages_and_other_numbers_are_not() -> None:
    assert words.written("accuracy", {"value": 0.8416, "low": 0.815, "high": 0.868}) == {
        "text": "84.2\u00a0%",
        "range": "81.5\u2009–\u200986.8",
    }
    assert words.written("nll", {"value": 0.8416, "low": None, "high": None}) == {"text": "0.842", "range": ""}
    assert words.written("auc", None) == {"text": "–", "range": ""}
    assert words.share(float("nan")) == words.number("x") == words.whole(None) == "–"
    assert words.whole(12_345) == "12\u2009345"


def test_a_number_is_written_in_the_unit_of_its_task() -> None:
    assert words.written("mae", {"value": 4.23, "low": 3.871, "high": 4.5}, "number", "years") == {
        "text": "4.2\u00a0years",
        "range": "3.9\u2009–\u20094.5",
    }
    # The decimals follow the value, and its limits follow it.
    assert words.written_as("unit", {"value": 0.0123, "low": 0.004, "high": 1.0}, "mg") == {
        "text": "0.012\u00a0mg",
        "range": "0.004\u2009–\u20091.000",
    }
    assert words.written_as("unit", {"value": 812.34}) == {"text": "812.3", "range": ""}
    assert words.written_as("unit", {"value": 0, "low": 0, "high": 0}, "mg")["text"] == "0.0\u00a0mg"
    assert words.written_as("unit", None, "years") == {"text": "–", "range": ""}
    assert words.written("r2", {"value": -0.25}, "number", "years")["text"] == "-0.250"
    assert words.written("dice", {"value": 0.8}, "regions", "years")["text"] == "80.0\u00a0%"


def test_durations_have_two_units() -> None:
    told = [words.duration(seconds) for seconds in (12.2, 200, 7500, 47 * 3600, 76 * 3600)]
    assert told == ["12 s", "3 min 20 s", "2 h 05 min", "47 h 00 min", "3 d 04 h"]


def test_modes_are_ordered_by_thoroughness_and_say_what_is_averaged() -> None:
    assert modes.mode_order(["other", "mc", "deterministic", "ensemble_mc"]) == ["ensemble_mc", "mc", "deterministic", "other"]
    assert "5 networks × 20 passes" in modes.mode_words("ensemble_mc", 5, 20)
    assert "means over 5 networks" in modes.mode_words("deterministic", 5, 20)
    assert "first network" in modes.mode_words("mc", 5, 20, first_only=True)
    assert modes.mode_words("deterministic", 1, None) == "one network, one pass, dropout off"
