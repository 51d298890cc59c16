"""What calibration found: every part that is there, its command where none is."""

from __future__ import annotations

from pathlib import Path

from drifa.report.sections import trust
from drifa.runs.files import read_run
from tests.report.other_runs import write
from tests.report_page import report


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def test_all_that_was_found_is_told(run: Path) -> None:
    row = {"images": 30, "groups": 12, "coverage": interval(0.8), "size": interval(1.5), "single": interval(0.5)}
    found = {
        "notes": ["no calibration: too few"],
        "calibration": {"ece": {part: interval(0.1) for part in ("before", "after", "difference")}},
        "coverage": [{"class": None, **row}, {"class": "<b>x</b>", **row}],
        "abstention": [
            {"by": None, "value": None, "images": 30, "groups": 25, "coverage": interval(0.7), "risk": interval(0.11)},
            {"by": "sex", "value": "female", "images": 9, "groups": 4, "coverage": interval(0.6), "risk": interval(0.3)},
        ],
    }
    sets = {"tasks": {"cell": {"sets": {"level": 0.9}}}}
    strangers = {"photo": {"rate": 0.05, "false_alarms": interval(0.06)}}
    subsets = {"photo+ct": {"cell": found}, "ct": {"cell": {"notes": ["too few"]}}}
    told = {"test": {"cell": found}, "test_subsets": subsets, "strangers": strangers}
    write(run / "calibration.json", {"drifa_calibration": 1, **sets, **told})
    page = report(run)
    for words in (
        "No calibration: too few.",
        "promised: 90 %",
        "Calibration error",
        "<b>x</b>",
        "few: 12 groups",
        "sex: female",
        "few: 4 groups",
        "false alarms",
        "cell, from photo and ct alone",
        "cell, from ct alone",
    ):
        assert page.has("trust", words), words
    assert "5.0" in page.text["trust"]


def test_what_is_not_there_names_the_command(run: Path, numbers: Path) -> None:
    assert report(run).has("trust", "calibration.json is not in this run folder; drifa calibrate RUN writes it")
    write(run / "calibration.json", {"drifa_calibration": 1, "tasks": {}, "test": {"cell": {}}})
    page = report(run)
    assert not page.has("trust", "Cases that lack a modality")
    assert page.has("trust", "No rule for leaving cases to a person was learned for cell; drifa calibrate RUN learns one")
    note = "no bar for abstention: a risk of 0.05 cannot be promised by 51 groups"
    write(run / "calibration.json", {"drifa_calibration": 1, "tasks": {}, "test": {"cell": {"notes": [note]}}})
    page = report(run)
    assert page.has("trust", "No bar for abstention: a risk of 0.05 cannot be promised by 51 groups.")
    assert not page.has("trust", "No rule for leaving cases")
    assert page.has("trust", "no check for images of another kind")
    assert page.has("trust", "Learned on the validation split")
    write(run / "calibration.json", {"drifa_calibration": 1, "source": "calibration", "tasks": {}, "test": {"cell": {}}})
    assert report(run).has("trust", "Learned on the calibration split")
    assert trust.record(read_run(numbers)) is None
